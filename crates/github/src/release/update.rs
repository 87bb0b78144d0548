//! Writing our part of a release.

use ami_bake_core::mask::Masker;
use ami_bake_core::report::{FILE_NAME, Report};
use ami_bake_core::{Error, Result};
use serde_json::{Value, json};

use super::notes::{holds, merged, render};
use crate::api::{Api, Release, percent};
use crate::context::Context;

/// How often the notes are written when others write them at the same time.
const ATTEMPTS: usize = 4;

/// Releases among which a draft is looked for: it is not found by its tag.
const DRAFT_PAGES: usize = 3;

/// What was done to a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Updated {
    /// Its address.
    pub url: String,
    /// True when the report is among its files now.
    pub attached: bool,
}

/// Brings the block of this report in the notes of release `tag` up to date, and puts the report among its files as
/// long as the release takes files. Several jobs may do so at once, each with its own `key`.
///
/// # Errors
/// When there is no such release, when no image was made, or when GitHub refuses, with what to do.
pub async fn update(api: &Api, tag: &str, key: &str, report: &Report, context: &Context<'_>) -> Result<Updated> {
    if !report.images.iter().any(|image| image.image.is_some() && image.status.is_good()) {
        return Err(Error::usage(format!("there is no image to write into the notes of release {tag}"))
            .help("They stay as they are until a bake has made one."));
    }
    let release = find(api, tag).await?;
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
    Ok(Updated { url: release.html_url, attached })
}

async fn find(api: &Api, tag: &str) -> Result<Release> {
    let what = format!("find release {tag} of {}", api.repository());
    // A `/` in a tag stays one to GitHub's router.
    if let Some(release) = api.find(&what, &format!("releases/tags/{}", percent(tag, b"/"))).await? {
        return Ok(release);
    }
    let all: Vec<Release> = api.list(&what, "releases", DRAFT_PAGES).await?;
    all.into_iter().find(|release| release.draft && release.tag_name == tag).ok_or_else(|| {
        Error::preflight(format!("{} has no release {tag}", api.repository())).help(
            "Name the tag of a release, published or draft. A draft is seen only by a token that may write contents.",
        )
    })
}

/// Reads, writes, and reads again: another job's block must not be lost, and neither must ours.
async fn write_notes(api: &Api, release: &Release, key: &str, report: &Report, context: &Context<'_>) -> Result<()> {
    let what = format!("write the notes of release {}", release.tag_name);
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
    Err(Error::internal(format!("{what}: others write them at the same time, and took our part out again"))
        .help("Let one job write them all: `ami-bake report --merge` with the reports of the others."))
}

async fn attach(api: &Api, release: &Release, report: &Report, masker: &Masker) -> Result<()> {
    let failed = |error| Error::internal("write the report as JSON").because(error);
    let mut value = serde_json::to_value(report).map_err(failed)?;
    mask(&mut value, masker);
    let mut content = serde_json::to_vec_pretty(&value).map_err(failed)?;
    content.push(b'\n');
    for old in release.assets.iter().filter(|asset| asset.name == FILE_NAME) {
        let what = format!("replace {FILE_NAME} of release {}", release.tag_name);
        api.delete(&what, &format!("releases/assets/{}", old.id)).await?;
    }
    api.upload(release, FILE_NAME, content).await
}

/// Takes the secrets out of every text.
fn mask(value: &mut Value, masker: &Masker) {
    match value {
        Value::String(text) => *text = masker.mask(text),
        Value::Array(values) => values.iter_mut().for_each(|value| mask(value, masker)),
        Value::Object(fields) => fields.values_mut().for_each(|value| mask(value, masker)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
