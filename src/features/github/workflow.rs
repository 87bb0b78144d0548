//! What the runner says about the workflow run.

use std::sync::Arc;

use ami_bake_core::token::TokenSource;
use ami_bake_core::{Result, Run};
use ami_bake_github::event::Workflow;
use ami_bake_github::oidc::{self, WorkflowTokens};
use ami_bake_github::runner::Environment;

use crate::facts::Facts;
use crate::host::HostIdentity;

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
        context: workflow.context,
        bump: workflow.bump,
    }
}

/// The workflow's own OIDC identity, under a session name that leads back to its run.
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
