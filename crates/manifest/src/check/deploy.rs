//! Finds contradictions in entries of `deploy`.

use ami_bake_core::duration::human;
use ami_bake_core::plan::{Deployment, ImagePlan, Strategy};
use ami_bake_core::{Route, Segment};

use crate::diagnostic::Diagnostic;
use crate::manifest::ImageEntry;

/// Validates the deployments of a plan.
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

/// For each problem: the field, the problem, and what to do.
fn wrongs(deployment: &Deployment) -> Vec<(&'static str, String, &'static str)> {
    let mut all = Vec::new();
    let settings = deployment.strategy.settings();
    if deployment.group.is_none() && matches!(deployment.strategy, Strategy::Replace(_)) {
        all.push((
            "strategy",
            "`strategy: replace` needs an `auto-scaling-group`".to_owned(),
            "Add the group, for example `auto-scaling-group: web-production`.",
        ));
    }
    if settings.min_healthy.is_some_and(|least| least > 100) {
        all.push((
            "refresh.min-healthy",
            "`min-healthy` must be at most 100".to_owned(),
            "Use 0 to 100. The size that the group may grow to is `max-healthy`.",
        ));
    }
    if let Some(most) = settings.max_healthy {
        if most < 100 {
            all.push((
                "refresh.max-healthy",
                format!("`max-healthy` must be at least 100, not {most}"),
                "Use 100 to 200. The share that must stay healthy is `min-healthy`.",
            ));
        } else if settings.min_healthy.is_none_or(|least| most.saturating_sub(least) > 100) {
            all.push((
                "refresh.max-healthy",
                "`min-healthy` must be at most 100 below `max-healthy`".to_owned(),
                "For example, use `min-healthy: 100` with `max-healthy: 200`.",
            ));
        }
    }
    let pauses = settings.pause.saturating_mul(u32::try_from(settings.checkpoints.len()).unwrap_or(u32::MAX));
    if pauses >= settings.wait {
        all.push((
            "refresh.wait",
            format!(
                "the pauses at checkpoints take {} in total, but `wait` is {}",
                human(pauses),
                human(settings.wait)
            ),
            "Use a longer `wait` or a shorter `pause`. Default `wait`: one hour plus the pauses.",
        ));
    }
    all
}
