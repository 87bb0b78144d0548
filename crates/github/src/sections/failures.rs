//! Failures: what failed, why, what to do, and the end of the log.

use ami_bake_core::event::Failure;
use ami_bake_core::report::{ImageReport, Report, Status, StepReport, StepResult};

use super::count::count;
use crate::context::Context;
use crate::markdown::{Block, Escape, details, fenced, heading};

pub(super) fn failures(report: &Report, context: &Context<'_>) -> Vec<Block> {
    let escape = context.escape();
    let failed = |image: &&ImageReport| matches!(image.status, Status::Failed | Status::Skipped);
    let mut blocks: Vec<Block> =
        report.images.iter().filter(failed).flat_map(|image| of_image(image, escape)).collect();
    if !blocks.is_empty() {
        blocks.insert(0, heading("what failed", "What failed"));
    }
    blocks
}

fn of_image(image: &ImageReport, escape: Escape<'_>) -> Vec<Block> {
    let Some(failure) = &image.failure else { return Vec::new() };
    let stage = image.stages.iter().rfind(|stage| stage.failed).map(|stage| format!(" in {}", stage.stage.as_str()));
    let word = if image.status == Status::Skipped { "was skipped" } else { "failed" };
    let name = escape.text(&image.name);
    let mut text = format!("<b>{name}</b> {word}{}: ", stage.unwrap_or_default());
    text.push_str(&explained(failure, escape));
    let mut blocks = vec![Block::whole(format!("why {name} failed"), text)];
    let failed = |step: &&StepReport| step.result == Some(StepResult::Failed) && !step.log.is_empty();
    if let Some(step) = image.steps.iter().rfind(failed) {
        let lines = escape.fence(&step.log);
        let summary = format!("Last {} of {}", count(lines.len(), "line"), escape.code(&step.name));
        blocks.push(details(format!("the log of {name}"), &summary, &lines));
    }
    // A help text may refer to the output above.
    if let Some(help) = &failure.help {
        // Text after a blank line is meant to be copied: YAML, a policy.
        let (text, code) = help.split_once("\n\n").unwrap_or((help, ""));
        let about = format!("what to do for {name}");
        blocks.push(Block::whole(&about, format!("> [!TIP]\n> {}\n\n", escape.text(text))));
        if !code.trim().is_empty() {
            let lines: Vec<String> = code.trim_end().lines().map(str::to_owned).collect();
            blocks.push(fenced(about, &escape.fence(&lines)));
        }
    }
    blocks
}

/// Message, location and causes.
fn explained(failure: &Failure, escape: Escape<'_>) -> String {
    let mut text = escape.text(&failure.message);
    if let Some(route) = failure.route.as_ref().filter(|route| !route.0.is_empty()) {
        text.push_str(&format!(" (at {})", escape.code(&route.to_string())));
    }
    text.push_str("\n\n");
    for cause in &failure.causes {
        text.push_str(&format!("- caused by: {}\n", escape.text(cause)));
    }
    if !failure.causes.is_empty() {
        text.push('\n');
    }
    text
}
