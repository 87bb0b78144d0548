//! Updates a release: its notes, and the attached report.

use ami_bake_core::mask::Masker;
use ami_bake_core::report::{FILE_NAME, Report};
use ami_bake_core::{Error, Result};
use serde_json::{Value, json};

use super::notes::{holds, merged, render};
use crate::api::{Api, Release, percent};
use crate::context::Context;
use crate::event::tag::version as version_of;

/// Attempts to write the notes while other jobs write them too.
const ATTEMPTS: usize = 4;

/// Pages of releases that are searched for a draft, which can't be found by its tag.
const DRAFT_PAGES: usize = 3;

/// In the notes of a draft that this program made: a draft of a person is never published.
const CREATED: &str = "<!-- ami-bake:created -->";

/// What to do where a tag has no release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingRelease<'a> {
    /// It is an error.
    Refuse,
    /// It is created.
    Create {
        /// The commit of the tag; where there is no tag either, the release makes it there.
        commit: Option<&'a str>,
    },
}

/// Changes made to a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Updated {
    /// URL of the release.
    pub url: String,
    /// True when the report was attached.
    pub attached: bool,
    /// True when the release was created and published.
    pub created: bool,
}

/// Updates the block of this report in the notes of release `tag`, and attaches the report unless the release is
/// immutable. Several jobs may do so at the same time, each with its own `key`.
///
/// # Errors
/// When the release does not exist and is not to be created, no image was made, or the API fails.
pub async fn update(
    api: &Api,
    tag: &str,
    key: &str,
    report: &Report,
    context: &Context<'_>,
    missing: MissingRelease<'_>,
) -> Result<Updated> {
    if !report.images.iter().any(|image| image.image.is_some() && image.status.is_good()) {
        return Err(Error::usage(format!("no images for the notes of release {tag}"))
            .help("Run this after a bake that made an image."));
    }
    let release = match (find(api, tag).await?, missing) {
        (Some(release), _) => release,
        (None, MissingRelease::Create { commit }) => create(api, tag, commit).await?,
        (None, MissingRelease::Refuse) => {
            return Err(Error::preflight(format!("{} has no release {tag}", api.repository())).help(
                "Use the tag of a published or draft release, or set `create-release`. Drafts are only visible to tokens with \
                 `contents: write`.",
            ));
        }
    };
    let mut report = report.clone();
    if let Some(previous) = context.previous {
        report.inherit(previous);
    }
    let report = &report;
    write_notes(api, &release, key, report, context).await?;
    let attached = !release.immutable || release.draft;
    if attached {
        attach(api, &release, report, context.masker).await?;
    }
    // Published last: subscribers are notified once the images are there, and an immutable release accepts no more files.
    let ours = release.draft && release.body.as_deref().is_some_and(|notes| notes.contains(CREATED));
    if !ours {
        return Ok(Updated { url: release.html_url, attached, created: false });
    }
    let what = format!("could not publish release {tag}");
    let published: Release = api.patch(&what, &format!("releases/{}", release.id), &json!({"draft": false})).await?;
    Ok(Updated { url: published.html_url, attached, created: true })
}

/// Creates the release as a draft, which a run that is interrupted leaves to the next one.
async fn create(api: &Api, tag: &str, commit: Option<&str>) -> Result<Release> {
    let what = format!("could not create release {tag} of {}", api.repository());
    let prerelease = version_of(tag).is_some_and(|version| !version.pre.is_empty());
    let mut body = json!({"tag_name": tag, "name": tag, "body": CREATED, "draft": true, "prerelease": prerelease});
    if let Some(commit) = commit {
        body["target_commitish"] = commit.into();
    }
    api.post(&what, "releases", &body).await
}

async fn find(api: &Api, tag: &str) -> Result<Option<Release>> {
    let what = format!("could not find release {tag} of {}", api.repository());
    // GitHub's router accepts a `/` in a tag.
    if let Some(release) = api.find(&what, &format!("releases/tags/{}", percent(tag, b"/"))).await? {
        return Ok(Some(release));
    }
    let all: Vec<Release> = api.list(&what, "releases", DRAFT_PAGES).await?;
    Ok(all.into_iter().find(|release| release.draft && release.tag_name == tag))
}

/// Writes the notes and reads them back, so that neither another job's block nor this one is lost.
async fn write_notes(api: &Api, release: &Release, key: &str, report: &Report, context: &Context<'_>) -> Result<()> {
    let what = format!("could not write the notes of release {}", release.tag_name);
    let blocks = render(report, context);
    let route = format!("releases/{}", release.id);
    let mut notes = release.body.clone().unwrap_or_default();
    for _ in 0..ATTEMPTS {
        let text = merged(&notes, key, &blocks);
        if text == notes {
            return Ok(());
        }
        let _: Release = api.patch(&what, &route, &json!({"body": text})).await?;
        let there: Release = api.get(&what, &route).await?;
        notes = there.body.unwrap_or_default();
        if holds(&notes, &text, key) {
            return Ok(());
        }
    }
    Err(Error::internal(format!("{what}: other jobs keep overwriting them"))
        .help("Let one job write the notes for all, with `ami-bake report --merge`."))
}

async fn attach(api: &Api, release: &Release, report: &Report, masker: &Masker) -> Result<()> {
    let failed = |error| Error::internal("could not write the report as JSON").because(error);
    let mut value = serde_json::to_value(report).map_err(failed)?;
    mask(&mut value, masker);
    let mut content = serde_json::to_vec_pretty(&value).map_err(failed)?;
    content.push(b'\n');
    for old in release.assets.iter().filter(|asset| asset.name == FILE_NAME) {
        let what = format!("could not replace {FILE_NAME} of release {}", release.tag_name);
        api.delete(&what, &format!("releases/assets/{}", old.id)).await?;
    }
    api.upload(release, FILE_NAME, content).await
}

/// Masks secrets in all strings.
fn mask(value: &mut Value, masker: &Masker) {
    match value {
        Value::String(text) => *text = masker.mask(text),
        Value::Array(values) => values.iter_mut().for_each(|value| mask(value, masker)),
        Value::Object(fields) => fields.values_mut().for_each(|value| mask(value, masker)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
