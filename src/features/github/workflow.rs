//! Facts about the workflow run.

use std::path::Path;
use std::sync::Arc;

use ami_bake_core::token::TokenSource;
use ami_bake_core::{Error, Result, Run};
use ami_bake_github::api::Api;
use ami_bake_github::event::{self, Code, EventVersion, Names, Workflow};
use ami_bake_github::oidc::{self, WorkflowTokens};
use ami_bake_github::runner::Environment;

use crate::facts::{Baking, Facts, ImageNames};
use crate::host::HostIdentity;
use crate::runtime::block_on;

/// The facts about the commit and the run.
pub(super) fn facts(workflow: &Workflow) -> Facts {
    let workflow = workflow.clone();
    Facts {
        sha: workflow.sha,
        reference: workflow.reference,
        branch: workflow.branch,
        tag: workflow.tag,
        run_id: workflow.run_id,
        actor: workflow.actor,
        repository: workflow.repository,
        ids: workflow.ids,
        pull_request: workflow.pull_request,
        run_url: workflow.run_url,
        bump: workflow.bump,
    }
}

/// Refuses a manifest that may come from a stranger, in a run that has the repository's rights.
///
/// # Errors
/// When it may come from a stranger.
pub(super) fn admit(workflow: &Workflow, manifest: &Path) -> Result<Code> {
    let folder = if manifest.is_dir() { Some(manifest) } else { manifest.parent() };
    workflow.code(folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

/// Decides about the versions of a manifest's images from the event. `api` is only used for a tag such as `v1.4`.
///
/// # Errors
/// When the manifest must not be used here, or such a tag can't be looked up.
pub(super) fn baking(
    workflow: &Workflow,
    manifest: &Path,
    names: &ImageNames,
    api: impl FnOnce() -> Result<Option<Api>>,
) -> Result<Baking> {
    let names = Names { manifest: names.manifest.clone(), images: names.images.clone() };
    let tags = || {
        let api = api()?.ok_or_else(|| Error::preflight("there is no token for GitHub"))?;
        block_on_thread(event::tags(&api))
    };
    Ok(match workflow.version(&names, admit(workflow, manifest)?, tags)? {
        EventVersion::Bake { context, notices } => Baking::Images { context, notices },
        EventVersion::Nothing(why) => Baking::Nothing(why),
    })
}

/// Waits for an answer of GitHub, for code that may run inside an async task.
pub(super) fn block_on_thread<T: Send>(work: impl Future<Output = Result<T>> + Send) -> Result<T> {
    std::thread::scope(|scope| scope.spawn(|| block_on(work)).join())
        .unwrap_or_else(|_| Err(Error::internal("the thread that asks GitHub panicked")))
}

/// The workflow's own OIDC identity, with a session name that identifies the run.
///
/// # Errors
/// When the proxy settings for GitHub's token endpoint are invalid.
pub(super) fn identity(environment: &Environment, workflow: &Workflow, run: &Run) -> Result<HostIdentity> {
    let by_run = || Some(format!("ami-bake-{}-{}", workflow.run_id.as_deref()?, workflow.repository.as_deref()?));
    let tokens = WorkflowTokens::of(environment, Arc::clone(run.masker()), run.clock_handle())?;
    Ok(HostIdentity {
        session_name: by_run(),
        help: oidc::help_without(environment, workflow),
        tokens: tokens.map(|tokens| Arc::new(tokens) as Arc<dyn TokenSource>),
    })
}
