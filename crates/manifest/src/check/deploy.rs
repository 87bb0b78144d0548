//! What an entry of `deploy` says that can't be carried out.

use ami_bake_core::duration::human;
use ami_bake_core::plan::{Deployment, ImagePlan, Strategy};
use ami_bake_core::{Route, Segment};

use crate::diagnostic::Diagnostic;
use crate::manifest::ImageEntry;

/// Judges the deployments of a plan.
pub(super) fn deploy(image: &ImageEntry, plan: &ImagePlan, findings: &mut Vec<Diagnostic>) {
    let own = |route: &Route| image.node.place(&Route(route.0.iter().skip(2).cloned().collect::<Vec<Segment>>()));
    for deployment in &plan.settings.deployments {
        for (field, message, help) in wrongs(deployment) {
            let route = field.split('.').fold(deployment.route.clone(), |route, key| route.key(key));
            let mut finding = Diagnostic::error("deploy", own(&route), message).route(route);
            finding.help = Some(help.to_owned());
            findings.push(finding);
        }
    }
}

/// The field, what is wrong with it, and what to do.
fn wrongs(deployment: &Deployment) -> Vec<(&'static str, String, &'static str)> {
    let mut all = Vec::new();
    let settings = deployment.strategy.settings();
    if deployment.group.is_none() && matches!(deployment.strategy, Strategy::Replace(_)) {
        all.push((
            "strategy",
            "`strategy: replace` needs a group to replace".to_owned(),
            "Name it: `auto-scaling-group: web-production`.",
        ));
    }
    if settings.min_healthy.is_some_and(|least| least > 100) {
        all.push((
            "refresh.min-healthy",
            "no more than 100 percent of a group can stay healthy".to_owned(),
            "Give 0 to 100; what the group may grow to is `max-healthy`.",
        ));
    }
    if let Some(most) = settings.max_healthy {
        if most < 100 {
            all.push((
                "refresh.max-healthy",
                format!("a group can't be held below its size, at {most} percent"),
                "Give 100 to 200; what has to stay healthy is `min-healthy`.",
            ));
        } else if settings.min_healthy.is_none_or(|least| most.saturating_sub(least) > 100) {
            all.push((
                "refresh.max-healthy",
                "`max-healthy` needs a `min-healthy` that is at most 100 below it".to_owned(),
                "For example `min-healthy: 100` with `max-healthy: 200`.",
            ));
        }
    }
    let pauses = settings.pause.saturating_mul(u32::try_from(settings.checkpoints.len()).unwrap_or(u32::MAX));
    if pauses >= settings.wait {
        all.push((
            "refresh.wait",
            format!(
                "its checkpoints pause for {} in all, which is no less than it waits ({})",
                human(pauses),
                human(settings.wait)
            ),
            "Give a longer `wait` or a shorter `pause`; without `wait` it is an hour and the pauses.",
        ));
    }
    all
}
