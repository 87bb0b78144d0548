//! Presents the results of a run outside of its log: job summary, comment, release notes. None of it can fail a bake.

use std::path::Path;

use ami_bake_core::error::UNCLEAN;
use ami_bake_core::mask::Masker;
use ami_bake_core::report::{self, FILE_NAME, Report};
use ami_bake_core::{Error, Result, whole_file};
use ami_bake_github::api::Api;
use ami_bake_github::{Context, WrittenId, comment, release, summary};

use super::action::{Action, in_full};
use super::{feedback, outputs, write_back};
use crate::error::sentence;
use crate::out::json_text;

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
    let (mut written, failed) = write_back::write(action, report, api.as_ref()).await;
    if let Some(error) = &failed {
        action.fail_late(error);
        written.push(WrittenId { text: format!("❌ Failed: {}", in_full(error)), url: None });
    }
    let previous = previous(action, report, api.as_ref()).await;
    let (compared, none) = match &previous {
        Comparison::With(previous, from) => (Some((previous, from.as_str())), None),
        Comparison::Without(why) => (None, Some(why.as_str())),
        Comparison::NotWanted => (None, None),
    };
    let context = Context {
        masker,
        previous: compared.map(|(previous, _)| &**previous),
        previous_from: compared.map(|(_, from)| from),
        no_previous: none,
        run_url: action.workflow.run_url.as_deref(),
        job_url: action.workflow.job_url.as_deref(),
        written: &written,
        untrusted: action.workflow.untrusted().is_some(),
    };
    action.summary(&summary::render(report, &context));
    if let Err(error) = tfvars(action, report, masker) {
        action.warn(&error);
    }
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

/// Writes the images as variables of Terraform, once all of them are there: a file of half a run would look complete.
fn tfvars(action: &Action, report: &Report, masker: &Masker) -> Result<()> {
    let Some(file) = action.environment.input("tfvars").map(Path::new) else { return Ok(()) };
    if !matches!(report.exit_code, Some(0 | UNCLEAN)) {
        return Ok(());
    }
    let text = json_text(&outputs::tfvars(report), masker, false);
    whole_file::replace(file, |to| to.write_all(text.as_bytes()))
        .map_err(|error| Error::usage(format!("could not write {}", file.display())).because(error))?;
    action.give_to_runner(file);
    Ok(())
}

/// What a report is compared with.
enum Comparison {
    /// This report, and where it is from.
    With(Box<Report>, String),
    /// None, and why.
    Without(String),
    /// Nobody expects one.
    NotWanted,
}

/// The report to compare with: a file, or that of the last release, which was made of the default branch. A pull request is
/// compared without being asked.
async fn previous(action: &Action, report: &Report, api: Option<&Api>) -> Comparison {
    let tag = action.workflow.tag.as_deref();
    let comments = action.environment.input("comment") != Some("never");
    let is_pull = comments && action.workflow.pull_request.is_some() && action.workflow.untrusted().is_none();
    let of_release = |found: Option<release::LastReport>| match found {
        Some(last) => Comparison::With(Box::new(last.report), format!("release {}", last.tag)),
        None => Comparison::Without(format!("no release has a {FILE_NAME} of {}", report.namespace)),
    };
    let found = match (action.environment.input("against"), api) {
        (Some(file), _) if file != "release" => {
            report::read(Path::new(file)).map(|found| Comparison::With(Box::new(found), file.to_owned()))
        }
        (Some(_), Some(api)) => release::last(api, &report.namespace, tag).await.map(of_release),
        // Nobody asked for it, so a token without `contents: read` is not worth a warning.
        (None, Some(api)) if tag.is_some() || is_pull => Ok(match release::last(api, &report.namespace, tag).await {
            Ok(found) if is_pull || found.is_some() => of_release(found),
            Err(error) if is_pull => Comparison::Without(sentence(&error).trim_end_matches('.').to_owned()),
            _ => Comparison::NotWanted,
        }),
        _ => Ok(Comparison::NotWanted),
    };
    found.unwrap_or_else(|error| {
        action.warn(&error);
        Comparison::NotWanted
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
    let missing = match action.environment.flag("create-release")? {
        Some(true) => release::MissingRelease::Create { commit: action.workflow.sha.as_deref() },
        _ => release::MissingRelease::Refuse,
    };
    let updated = release::update(api, &tag, &report.namespace, report, context, missing).await?;
    let done = if updated.created { "Created" } else { "Updated the notes of" };
    action.log.say(&format!("{done} release {tag}: {}\n", updated.url));
    Ok(())
}
