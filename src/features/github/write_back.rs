//! `publish.write`: the IDs of published images, written into the repository by the workflow's token.

use std::collections::BTreeMap;

use ami_bake_core::engine::VersionContext;
use ami_bake_core::error::UNCLEAN;
use ami_bake_core::plan::{WriteBack, WriteMode, WritePlace};
use ami_bake_core::report::{ImageReport, Report, Status};
use ami_bake_core::{Error, ErrorKind, Result};
use ami_bake_github::WrittenId;
use ami_bake_github::api::Api;
use ami_bake_github::write_back::{self, Base, BranchWrite, FileEdit, WrittenFiles};
use ami_bake_manifest::Manifest;
use semver::{Prerelease, Version};

use super::action::Action;

/// Commands that publish.
const PUBLISH: [&str; 3] = ["bake", "publish", "promote"];

/// Login of GITHUB_TOKEN.
const OF_JOB: &str = "github-actions[bot]";

/// Checks, before anything is baked, that what is to be written can be: each file exists and has the value, and the token may
/// use each variable.
///
/// # Errors
/// When one can't be written.
pub(super) async fn preflight(action: &Action, manifest: &Manifest, context: &VersionContext) -> Result<()> {
    if action.workflow.untrusted().is_some() {
        return Ok(());
    }
    let wanted = wanted(manifest, &sample(context));
    if wanted.is_empty() {
        return Ok(());
    }
    let Some(api) = action.api()? else { return Err(without_token()) };
    let placeholder = "ami-00000000000000000".to_owned();
    for (_, write) in &wanted {
        match &write.place {
            WritePlace::Variable { name } => write_back::check_variable(&api, name).await?,
            WritePlace::File { path, pointer, branch, .. } => {
                let edit = edit(path, pointer, placeholder.clone(), String::new());
                write_back::check_files(&api, &base(branch.as_deref()), &[edit]).await?;
            }
        }
    }
    Ok(())
}

/// Writes the IDs of the images that the run published. Returns what was written, and the first failure: one does not keep
/// the others from being written.
pub(super) async fn write(action: &Action, report: &Report, api: Option<&Api>) -> (Vec<WrittenId>, Option<Error>) {
    let (mut written, mut failed) = (Vec::new(), None);
    let is_done = matches!(report.exit_code, Some(code) if code != 130);
    let Some(manifest) = action.manifest() else { return (written, None) };
    if !PUBLISH.contains(&action.command()) || !is_done || action.workflow.untrusted().is_some() {
        return (written, None);
    }
    let mut files: BTreeMap<(Option<String>, WriteMode), Vec<FileEdit>> = BTreeMap::new();
    let mut variables = Vec::new();
    for image in &report.images {
        let Some(record) = image.image.as_ref().filter(|_| is_published(image, report)) else { continue };
        for (_, write) in wanted(manifest, &record.version).into_iter().filter(|(key, _)| *key == image.name) {
            let what = format!("{} {}", image.name, record.version);
            let Some(id) = id(image, report, write.region.as_deref()) else {
                let region = write.region.unwrap_or_default();
                failed = failed.or(Some(
                    Error::new(
                        ErrorKind::Publish,
                        format!("{what} is not in {region}, so its ID there was not written"),
                    )
                    .help("Add the region to `publish.regions`."),
                ));
                continue;
            };
            match write.place {
                WritePlace::Variable { name } => variables.push((name, what, id)),
                WritePlace::File { path, pointer, mode, branch } => {
                    files.entry((branch, mode)).or_default().push(edit(&path, &pointer, id, what));
                }
            }
        }
    }
    if files.is_empty() && variables.is_empty() {
        return (written, failed);
    }
    let Some(api) = api else { return (written, Some(without_token())) };
    for (name, what, id) in variables {
        match write_back::write_variable(api, &name, &id).await {
            Ok(true) => written.push(said(action, format!("Set the variable {name} to {id} ({what})"), None)),
            Ok(false) => {}
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    for ((branch, mode), edits) in files {
        match write_files(action, report, api, branch.as_deref(), mode, &edits).await {
            Ok(line) => written.extend(line),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    (written, failed)
}

async fn write_files(
    action: &Action,
    report: &Report,
    api: &Api,
    branch: Option<&str>,
    mode: WriteMode,
    edits: &[FileEdit],
) -> Result<Option<WrittenId>> {
    let list: Vec<String> = edits.iter().map(|edit| format!("{} in {}", edit.what, edit.path)).collect();
    let how = match mode {
        WriteMode::Commit => BranchWrite::Commit,
        WriteMode::PullRequest => BranchWrite::PullRequest {
            from: format!("ami-bake/{}", report.namespace),
            title: format!("Update images of {}", report.namespace),
            body: body(action, edits),
        },
    };
    let line = match write_back::write_files(api, &base(branch), &how, edits).await? {
        WrittenFiles::Unchanged => return Ok(None),
        WrittenFiles::Committed { branch, url } => {
            let text = format!("Wrote {} to branch {branch}{}", list.join(", "), starts_nothing(api, "commit").await);
            said(action, text, Some(url))
        }
        WrittenFiles::Proposed { number, url, created } => {
            let done = if created { "Created" } else { "Updated" };
            let note = starts_nothing(api, "pull request").await;
            action.output("pull-request-url", &url);
            said(action, format!("{done} pull request {number}: {}{note}", list.join(", ")), Some(url))
        }
    };
    Ok(Some(line))
}

/// What people should know of a change by GITHUB_TOKEN (GitHub: "Triggering a workflow from a workflow").
async fn starts_nothing(api: &Api, what: &str) -> String {
    match api.login().await {
        Ok(login) if login != OF_JOB => String::new(),
        Ok(_) => {
            format!(". A {what} by GITHUB_TOKEN starts no workflows: use the token of an app as `token` if it should")
        }
        // Whose token it is only decides about this hint.
        Err(_) => format!(". If `token` is GITHUB_TOKEN, this {what} starts no workflows"),
    }
}

/// Text of the pull request. All of it are names and IDs, which have no Markdown in code.
fn body(action: &Action, edits: &[FileEdit]) -> String {
    let lines: Vec<String> = edits.iter().map(|edit| format!("- `{}` in `{}`\n", edit.what, edit.path)).collect();
    let run =
        action.workflow.run_url.as_ref().map(|url| format!("\nBaked in [this run]({url}).\n")).unwrap_or_default();
    format!("New images:\n\n{}{run}", lines.concat())
}

fn said(action: &Action, text: String, url: Option<String>) -> WrittenId {
    let shown = url.as_ref().map(|url| format!(": {url}")).unwrap_or_default();
    action.log.say(&format!("{text}{shown}\n"));
    WrittenId { text, url }
}

fn edit(path: &str, pointer: &str, id: String, what: String) -> FileEdit {
    let what = if what.is_empty() { what } else { format!("{what} ({id})") };
    let (file, pointer) = (path.to_owned(), pointer.to_owned());
    let edit = move |text: &str| ami_bake_edit::replace(&file, text, &pointer, &id);
    FileEdit { path: path.to_owned(), what, edit: Box::new(edit) }
}

fn base(branch: Option<&str>) -> Base {
    branch.map_or(Base::Default, |name| Base::Named(name.to_owned()))
}

/// The places to write to for this version, by image.
fn wanted(manifest: &Manifest, version: &Version) -> Vec<(String, WriteBack)> {
    let plans = manifest.outlines(version).into_iter().map(|(_, plan)| plan);
    let published = plans.filter(|plan| plan.settings.distribution.wanted);
    published
        .flat_map(|plan| {
            let key = plan.key.to_string();
            plan.settings.distribution.writes.into_iter().map(move |write| (key.clone(), write))
        })
        .collect()
}

/// A version like those that this run makes: only whether it is final matters.
fn sample(context: &VersionContext) -> Version {
    let is_final = match context {
        VersionContext::Default => true,
        VersionContext::Tag(tag) => tag.version.pre.is_empty(),
        VersionContext::PullRequest { .. } | VersionContext::Branch { .. } | VersionContext::OtherTag { .. } => false,
    };
    let pre = if is_final { Prerelease::EMPTY } else { Prerelease::new("pre").unwrap_or_default() };
    Version { pre, ..Version::new(1, 0, 0) }
}

fn is_published(image: &ImageReport, report: &Report) -> bool {
    let made = matches!(image.status, Status::Baked | Status::Reused | Status::Registered);
    made && (matches!(report.exit_code, Some(0 | UNCLEAN)) || image.failure.is_none())
}

/// ID of an image in a region of the bake's own account.
fn id(image: &ImageReport, report: &Report, region: Option<&str>) -> Option<String> {
    let record = image.image.as_ref()?;
    let home = record.region.as_deref().or(report.region.as_deref());
    match region {
        Some(region) if Some(region) != home => {
            let mut own = image.published.iter().filter(|delivery| delivery.account.is_none());
            own.find(|delivery| delivery.region == region)?.image.clone()
        }
        _ => Some(record.id.clone()),
    }
}

fn without_token() -> Error {
    Error::preflight("`publish.write` needs a token for GitHub, and the input `token` is empty")
        .help("Remove `token` to use the job's own, with `permissions: {contents: write, pull-requests: write}`.")
}
