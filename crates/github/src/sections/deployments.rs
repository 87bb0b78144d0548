//! Results of deployments.

use ami_bake_core::report::{ImageReport, Report};
use ami_bake_core::rollout::{Rollout, RolloutOutcome};

use super::images::together;
use crate::context::Context;
use crate::markdown::{Block, Escape, heading, table};

pub(super) fn deployments(report: &Report, context: &Context<'_>) -> Vec<Block> {
    let escape = context.escape();
    let of = |image: &ImageReport| -> Vec<Vec<String>> {
        image.deployed.iter().map(|rollout| row(&image.name, rollout, escape)).collect()
    };
    let rows: Vec<Vec<String>> = report.images.iter().flat_map(of).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let head = ["image", "target", "region", "result", "template version", "actions"];
    vec![heading("deployments", "Deployments"), table("deployments", &head, &rows)]
}

fn row(image: &str, rollout: &Rollout, escape: Escape<'_>) -> Vec<String> {
    let sign = match rollout.outcome {
        RolloutOutcome::Deployed => "✅",
        RolloutOutcome::Unchanged => "♻️",
        RolloutOutcome::Skipped => "⏭️",
        RolloutOutcome::RolledBack | RolloutOutcome::RollingBack => "↩️",
        RolloutOutcome::Failed | RolloutOutcome::RollbackFailed => "❌",
    };
    let template = match (rollout.from, rollout.version) {
        (Some(from), Some(to)) if from != to => together(&format!("{from} → {to}")),
        (from, to) => to.or(from).map(|version| version.to_string()).unwrap_or_default(),
    };
    let mut done: Vec<String> = rollout.done.iter().map(|done| escape.text(done)).collect();
    done.extend(rollout.group.as_ref().map(|group| format!("{} in service", escape.code(group))));
    let why = rollout.failure.as_ref().map(|failure| {
        let texts = std::iter::once(&failure.message).chain(&failure.causes).map(|text| escape.text(text));
        format!("<br>{}", texts.collect::<Vec<_>>().join(": "))
    });
    vec![
        format!("<b>{}</b>", escape.text(image)),
        escape.code(&rollout.target),
        rollout.region.as_deref().map(|region| escape.code(region)).unwrap_or_default(),
        together(&format!("{sign} {}", rollout.outcome.as_str())),
        template,
        format!("{}{}", done.join(", "), why.unwrap_or_default()),
    ]
}
