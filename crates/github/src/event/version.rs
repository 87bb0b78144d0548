//! Derives the version from the event (docs/dev/lifecycle.md, "The version").

use ami_bake_core::engine::{TaggedVersion, VersionContext};
use ami_bake_core::{Error, Result};
use semver::{BuildMetadata, Prerelease, Version};
use serde::Deserialize;

use super::Workflow;
use super::code::{Code, is_own};
use super::tag::{self, Names, Tag};
use crate::api::Api;

/// Events on a branch or tag that a person or a clock starts, besides a push.
const ON_A_REF: [&str; 6] =
    ["push", "workflow_dispatch", "deployment", "deployment_status", "create", "repository_dispatch"];

/// The decision about versions for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventVersion {
    /// Images are baked.
    Bake {
        /// The context for their versions.
        context: VersionContext,
        /// How a tag was read, if that is not obvious.
        notices: Vec<String>,
    },
    /// Nothing is baked, for this reason (a sentence).
    Nothing(String),
}

/// A tag of the repository.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RepositoryTag {
    /// Name of the tag.
    pub name: String,
    /// Commit of the tag.
    pub commit: TagCommit,
}

/// The commit of a tag.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TagCommit {
    /// SHA of the commit.
    pub sha: String,
}

/// The tags of a repository, up to the latest 1000 (GitHub REST API: "List repository tags").
///
/// # Errors
/// When the API fails.
pub async fn tags(api: &Api) -> Result<Vec<RepositoryTag>> {
    api.list(&format!("cannot list the tags of {}", api.repository()), "tags", 10).await
}

/// Decides about the versions of the images with these names. `tags` is only called for a tag such as `v1.4`.
///
/// # Errors
/// When `tags` fails.
fn decide(
    workflow: &Workflow,
    names: &Names,
    code: Code,
    tags: impl FnOnce() -> Result<Vec<RepositoryTag>>,
) -> Result<EventVersion> {
    let event = &workflow.payload;
    let run = workflow.run_id.as_deref().and_then(|run| run.parse().ok()).unwrap_or(0);
    let bake = |context| Ok(EventVersion::Bake { context, notices: Vec::new() });
    let pull_request = |sha: Option<&str>| match (workflow.pull_request, sha) {
        (Some(number), Some(sha)) => VersionContext::PullRequest { number, sha: sha.to_owned() },
        _ => VersionContext::Branch { run },
    };
    match code {
        Code::Event => {}
        Code::Reviewed => return bake(pull_request(workflow.reviewed.as_deref())),
        Code::DefaultBranch | Code::FirstRun => return bake(follows(workflow, code, run)),
    }
    let release = &event["release"];
    if release.is_object() {
        if let Some(gone @ ("deleted" | "unpublished")) = event["action"].as_str() {
            return Ok(EventVersion::Nothing(format!("The release was {gone}")));
        }
        let tag = release["tag_name"].as_str().unwrap_or_default();
        return tagged(workflow, tag, names, release["prerelease"] == true, run, tags);
    }
    if let Some(tag) = &workflow.tag {
        return tagged(workflow, tag, names, false, run, tags);
    }
    if workflow.pull_request.is_some() {
        return bake(pull_request(workflow.sha.as_deref()));
    }
    let on_default = match workflow.event.as_str() {
        // The merge queue's branch contains commits that are not merged yet.
        "merge_group" => false,
        name if ON_A_REF.contains(&name) => {
            workflow.branch.is_some() && workflow.branch.as_deref() == event["repository"]["default_branch"].as_str()
        }
        // A schedule and all other events run on the default branch.
        _ => true,
    };
    bake(if on_default { VersionContext::Default } else { VersionContext::Branch { run } })
}

/// The version context of a run that anybody may have started: final only if it follows a run on the default branch.
fn follows(workflow: &Workflow, code: Code, run: u64) -> VersionContext {
    let event = &workflow.payload;
    let first = &event["workflow_run"];
    let branch = VersionContext::Branch { run };
    if !is_own(workflow, first) {
        return branch;
    }
    match first["event"].as_str() {
        Some("push" | "schedule" | "workflow_dispatch" | "repository_dispatch")
            if first["head_branch"].is_string() && first["head_branch"] == event["repository"]["default_branch"] =>
        {
            VersionContext::Default
        }
        Some("pull_request") if code == Code::FirstRun => {
            let number = first["pull_requests"][0]["number"].as_u64();
            let sha = first["head_sha"].as_str().map(str::to_owned);
            number.zip(sha).map_or(branch, |(number, sha)| VersionContext::PullRequest { number, sha })
        }
        _ => branch,
    }
}

fn tagged(
    workflow: &Workflow,
    tag: &str,
    names: &Names,
    prerelease: bool,
    run: u64,
    tags: impl FnOnce() -> Result<Vec<RepositoryTag>>,
) -> Result<EventVersion> {
    let nothing = |why: &str| Ok(EventVersion::Nothing(format!("Tag {tag} {why}")));
    let (version, image, short, notice) = match tag::read(tag, names) {
        Tag::Version { version, image, notice } => (version, image, None, notice),
        Tag::Short { version, image, prefix } => {
            let all = tags().map_err(|error| undecided(tag, &version, error))?;
            if let Some(other) = full_version(&all, &prefix, &version, workflow.sha.as_deref()) {
                return nothing(&format!("is a floating tag, since {other} exists"));
            }
            let notice = format!("Tag {tag} is version {version}: it has no patch number");
            (version, image, Some(tag.to_owned()), Some(notice))
        }
        Tag::Floating => return nothing("is a floating tag, not a version"),
        Tag::Foreign => {
            return nothing(&format!(
                "is a version of something else: the names here are {} and its images",
                names.manifest
            ));
        }
        Tag::Other => {
            let context = VersionContext::OtherTag { tag: tag.to_owned(), run };
            let notices = vec![format!("Tag {tag} is not a version, so no final version is made")];
            return Ok(EventVersion::Bake { context, notices });
        }
    };
    let mut notices: Vec<String> = notice.into_iter().collect();
    let version = if prerelease && version.pre.is_empty() {
        let pre = Prerelease::new(&format!("pre.{run}"))
            .map_err(|error| Error::internal("cannot make a pre-release version").because(error))?;
        notices.push(format!("Release {tag} is a pre-release, so its version is {version}-{pre}"));
        Version { pre, build: BuildMetadata::EMPTY, ..version }
    } else {
        version
    };
    Ok(EventVersion::Bake { context: VersionContext::Tag(TaggedVersion { version, image, short, run }), notices })
}

/// The tag that shows that a tag without a patch number is a moving one: another tag with the same numbers, or a full
/// version of the same commit.
fn full_version<'a>(all: &'a [RepositoryTag], prefix: &str, short: &Version, sha: Option<&str>) -> Option<&'a str> {
    let full = |tag: &RepositoryTag| {
        let rest = tag.name.strip_prefix(prefix)?;
        Version::parse(rest).ok()
    };
    let floats = |tag: &&RepositoryTag| {
        full(tag).is_some_and(|version| {
            (version.major, version.minor) == (short.major, short.minor) || Some(tag.commit.sha.as_str()) == sha
        })
    };
    all.iter().find(floats).map(|tag| tag.name.as_str())
}

fn undecided(tag: &str, version: &Version, error: Error) -> Error {
    Error::preflight(format!("cannot tell whether tag {tag} is version {version} or a floating tag"))
        .help(format!(
            "The job needs a token with `contents: read` to look at the other tags. Or use a tag with all three numbers, \
             or the input `version: {version}`."
        ))
        .because(error)
}

impl Workflow {
    /// Decides about the versions of the images with these names, built from this code. `tags` lists the tags of the
    /// repository; it is only called for a tag such as `v1.4`.
    ///
    /// # Errors
    /// When `tags` fails.
    pub fn version(
        &self,
        names: &Names,
        code: Code,
        tags: impl FnOnce() -> Result<Vec<RepositoryTag>>,
    ) -> Result<EventVersion> {
        decide(self, names, code, tags)
    }
}
