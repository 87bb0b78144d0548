//! Moves what runs with an image to its new version, one deployment after the other.

use crate::engine::options::BakeContext;
use crate::engine::stage::stage;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Stage};
use crate::failure::Failure;
use crate::image::ImageRecord;
use crate::plan::{Deployment, ImagePlan};
use crate::rollout::{Outcome, Rollout};
use crate::run::Run;

/// Carries the plan's deployments out in the order in which they are written, so that the first can be the one that may
/// fail: after a failure the rest is not begun.
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

/// Says what of a plan's deployments can't come to a good end, before a machine starts.
///
/// # Errors
/// What the platform says.
pub(super) async fn preflight(run: &Run, context: &BakeContext, plan: &ImagePlan) -> Result<()> {
    if plan.settings.deployments.iter().any(|deployment| deployment.wanted) {
        context.platform.preflight_deploy(run, plan).await?;
    }
    Ok(())
}

/// Where deployments would go, in words.
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
        rollout.outcome = Outcome::Failed;
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

/// The failure of a deployment: what failed, in which state that leaves the place, and what is done next.
fn explain(plan: &ImagePlan, rollout: &Rollout, error: Error) -> Error {
    let state = match rollout.outcome {
        Outcome::RolledBack => "; it is as it was before",
        Outcome::RollingBack => "; it goes back to what it was",
        Outcome::RollbackFailed => "; the way back failed too",
        _ => "",
    };
    let message = format!("deploy {} {} to {}{state}", plan.key, plan.version, rollout.place());
    let again = "`ami-bake deploy --report bake-report.json` tries it again.";
    let help = error.help_text().map_or_else(|| again.to_owned(), |help| format!("{help} {again}"));
    let route = error.route().cloned();
    let failure = Error::new(ErrorKind::Deploy, message).help(help).because(error);
    match route {
        Some(route) => failure.at(route),
        None => failure,
    }
}
