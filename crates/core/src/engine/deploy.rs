//! Runs an image's deployments, one after the other.

use crate::engine::options::BakeContext;
use crate::engine::stage::stage;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Stage};
use crate::failure::Failure;
use crate::image::ImageRecord;
use crate::plan::{Deployment, ImagePlan};
use crate::rollout::{Rollout, RolloutOutcome};
use crate::run::Run;

/// Runs the plan's deployments in order. After a failure the rest is skipped, so that a staging group can come before
/// production. With `force`, targets that somebody else changed meanwhile are overwritten.
///
/// # Errors
/// [`ErrorKind::Deploy`] for the first that failed.
pub(super) async fn deploy(
    run: &Run,
    context: &BakeContext,
    plan: &ImagePlan,
    image: &ImageRecord,
    force: bool,
) -> Result<()> {
    let all = &plan.settings.deployments;
    if !all.iter().any(|deployment| deployment.wanted) {
        for deployment in all {
            run.emit(Event::Deployed { rollout: rollout(context, deployment) });
        }
        return Ok(());
    }
    stage(run, Stage::Deploy, each(run, context, plan, image, force)).await
}

/// Asks the platform to check the plan's deployments, before a machine is launched.
///
/// # Errors
/// Errors of the platform's check.
pub(super) async fn preflight(run: &Run, context: &BakeContext, plan: &ImagePlan) -> Result<()> {
    if plan.settings.deployments.iter().any(|deployment| deployment.wanted) {
        context.platform.preflight_deploy(run, plan).await?;
    }
    Ok(())
}

/// Descriptions of the deployment targets.
pub(super) fn places(context: &BakeContext, all: &[Deployment]) -> Vec<String> {
    all.iter().filter(|deployment| deployment.wanted).map(|deployment| rollout(context, deployment).place()).collect()
}

async fn each(run: &Run, context: &BakeContext, plan: &ImagePlan, image: &ImageRecord, force: bool) -> Result<()> {
    let mut failed: Option<Error> = None;
    for deployment in &plan.settings.deployments {
        let mut rollout = rollout(context, deployment);
        if !deployment.wanted || failed.is_some() {
            run.emit(Event::Deployed { rollout });
            continue;
        }
        rollout.outcome = RolloutOutcome::Failed;
        let result = match run.check() {
            Ok(()) => context.platform.deploy(run, plan, image, deployment, force, &mut rollout).await,
            cancelled => cancelled,
        };
        let result = result.map_err(|error| match error.kind() {
            ErrorKind::Cancelled => error,
            _ => explain(plan, &rollout, error),
        });
        rollout.failure = result.as_ref().err().map(Failure::from);
        run.emit(Event::Deployed { rollout });
        failed = result.err();
    }
    failed.map_or(Ok(()), Err)
}

fn rollout(context: &BakeContext, deployment: &Deployment) -> Rollout {
    let target = deployment.group.as_ref().unwrap_or(&deployment.template);
    Rollout::new(target, deployment.region.clone().or_else(|| context.platform.region()))
}

/// The error of a deployment: what failed, the state of the target, and what to do next.
fn explain(plan: &ImagePlan, rollout: &Rollout, error: Error) -> Error {
    let state = match rollout.outcome {
        RolloutOutcome::RolledBack => "; rolled back",
        RolloutOutcome::RollingBack => "; rolling back",
        RolloutOutcome::RollbackFailed => "; rollback failed",
        _ => "",
    };
    let message = format!("could not deploy {} {} to {}{state}", plan.key, plan.version, rollout.place());
    let again = "Retry with `ami-bake deploy --report bake-report.json`.";
    let help = error.help_text().map_or_else(|| again.to_owned(), |help| format!("{help} {again}"));
    let route = error.route().cloned();
    let failure = Error::new(ErrorKind::Deploy, message).help(help).because(error);
    match route {
        Some(route) => failure.at(route),
        None => failure,
    }
}
