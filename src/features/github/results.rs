//! Presents the results of a run outside of its log: job summary, comment, release notes. None of it can fail a bake.

use std::path::Path;

use ami_bake_core::error::UNCLEAN;
use ami_bake_core::mask::Masker;
use ami_bake_core::report::{self, Report};
use ami_bake_core::{Error, Result};
use ami_bake_github::api::Api;
use ami_bake_github::{Context, comment, release, summary};

use super::action::Action;
use super::feedback;

/// Presents the report of a run that ended.
pub(super) async fn present(action: &Action, report: &Report, masker: &Masker) {
    if report.images.is_empty() {
        return;
    }
    let api = match action.api() {
        Ok(api) => api,
        Err(error) => {
            action.warn(&error);
            None
        }
    };
    let previous = previous(action, report, api.as_ref()).await;
    let context = Context {
        masker,
        previous: previous.as_ref(),
        run_url: action.workflow.run_url.as_deref(),
        job_url: action.workflow.job_url.as_deref(),
        untrusted: action.workflow.untrusted().is_some(),
    };
    action.summary(&summary::render(report, &context));
    // A cancelled job has only seconds left.
    if report.exit_code == Some(130) {
        action.save("cancelled", "true");
        return;
    }
    let Some(api) = api else { return };
    if let Err(error) = release_notes(action, report, &api, &context).await {
        action.warn(&error);
    }
    feedback::failed(action, comment(action, report, &api, &context).await);
}

/// The report to compare with: from a file, or from the last release.
async fn previous(action: &Action, report: &Report, api: Option<&Api>) -> Option<Report> {
    let tag = action.workflow.tag.as_deref();
    let found = match (action.environment.input("against"), api) {
        (Some(file), _) if file != "release" => report::read(Path::new(file)).map(Some),
        (Some(_), Some(api)) => release::last(api, &report.namespace, tag).await,
        // Nobody requested it, so a token without `contents: read` is not worth a warning.
        (None, Some(api)) if tag.is_some() => Ok(release::last(api, &report.namespace, tag).await.ok().flatten()),
        _ => Ok(None),
    };
    found.unwrap_or_else(|error| {
        action.warn(&error);
        None
    })
}

async fn comment(action: &Action, report: &Report, api: &Api, context: &Context<'_>) -> Result<()> {
    action.wait_for_comment();
    let render = |pull: &comment::Pull, key: &str| {
        let context = &Context {
            run_url: pull.run_url.as_deref().or(context.run_url),
            // Another run baked the images; this job only reports it.
            job_url: context.job_url.filter(|_| pull.run_url.is_none()),
            untrusted: pull.fork || context.untrusted,
            ..*context
        };
        comment::render(report, context, key)
    };
    feedback::write(action, api, render).await
}

/// Writes release notes when the input names a release, or is `true` and the run is for a tag.
async fn release_notes(action: &Action, report: &Report, api: &Api, context: &Context<'_>) -> Result<()> {
    let tag = match action.environment.input("release-notes") {
        None | Some("false") => return Ok(()),
        Some("true") => action.workflow.tag.clone().ok_or_else(|| {
            Error::usage("could not write release notes: this run is not for a tag")
                .help("Set `release-notes` to the tag of a release, such as v1.2.3, or remove the input.")
        })?,
        Some(tag) => tag.to_owned(),
    };
    if !matches!(report.exit_code, Some(0 | UNCLEAN)) {
        return Ok(());
    }
    let updated = release::update(api, &tag, &report.namespace, report, context).await?;
    action.log.say(&format!("Updated the notes of release {tag}: {}\n", updated.url));
    Ok(())
}
