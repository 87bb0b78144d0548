//! Determines whose code a run uses.

use std::path::Path;

use ami_bake_core::{Error, Result};
use serde_json::Value;

use super::trust::is_of_anybody;
use super::{Workflow, checkout};

/// The origin of the code that a run uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The event's own code, which GitHub trusts to the extent of the run's permissions.
    Event,
    /// Code of the default branch, in a run that anybody may have started.
    DefaultBranch,
    /// Code of the run in this repository that this run follows.
    FirstRun,
    /// A commit that the workflow declares as reviewed.
    Reviewed,
}

/// The origin of the code, for events on which anybody can start a run with the rights of the default branch. `commit`
/// is the commit that is checked out.
///
/// # Errors
/// When it may be a stranger's code.
fn code(workflow: &Workflow, commit: Option<&str>) -> Result<Code> {
    if !is_of_anybody(&workflow.event) {
        return Ok(Code::Event);
    }
    let is = |other: Option<&str>| commit.is_some_and(|commit| other.is_some_and(|id| id.eq_ignore_ascii_case(commit)));
    if is(workflow.reviewed.as_deref()) {
        return Ok(Code::Reviewed);
    }
    if is(workflow.own_sha.as_deref()) {
        return Ok(Code::DefaultBranch);
    }
    let first = &workflow.payload["workflow_run"];
    if is_own(workflow, first) && is(first["head_sha"].as_str()) {
        return Ok(Code::FirstRun);
    }
    let what = match commit {
        Some(commit) => format!("commit {commit} is checked out, which may be a stranger's"),
        None => "it can't be told whose code is checked out".to_owned(),
    };
    Err(Error::preflight(format!(
        "not allowed on {}: {what}, and the run has this repository's rights",
        workflow.event
    ))
    .help(
        "Check out the default branch (actions/checkout without `ref`), or bake on `pull_request`, where a fork's run \
         has no rights. To bake a commit that somebody with write access reviewed, pass its full SHA as `reviewed-sha` \
         (examples/workflows/chatops.yml).",
    ))
}

/// True when a workflow run was for a commit of this repository, and not for a pull request of a fork.
pub(super) fn is_own(workflow: &Workflow, run: &Value) -> bool {
    let head = run["head_repository"]["full_name"].as_str();
    head.zip(workflow.repository.as_deref()).is_some_and(|(head, own)| head.eq_ignore_ascii_case(own))
}

impl Workflow {
    /// The origin of the code in `folder`, for events on which anybody can start a run with the rights of the default
    /// branch.
    ///
    /// # Errors
    /// When it may be a stranger's code, which must not be used with these rights.
    pub fn code(&self, folder: &Path) -> Result<Code> {
        code(self, checkout::commit(folder).as_deref())
    }
}
