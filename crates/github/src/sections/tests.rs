//! The tests of each image.

use ami_bake_core::duration::human;
use ami_bake_core::plan::Phase;
use ami_bake_core::report::{Report, StepReport, StepResult};

use super::images::passed;
use crate::context::Context;
use crate::markdown::{Block, Escape, heading, table};

pub(super) fn tests(report: &Report, context: &Context<'_>) -> Vec<Block> {
    let escape = context.escape();
    let mut blocks = Vec::new();
    for image in &report.images {
        let Some((passed, all)) = passed(image) else { continue };
        let rows: Vec<Vec<String>> =
            image.steps.iter().filter(|step| step.phase == Phase::Test).map(|step| row(step, escape)).collect();
        let name = escape.text(&image.name);
        let summary = format!("<b>{name}</b>: {passed} of {} passed", super::count::count(all, "test"));
        blocks.push(table(format!("the tests of {name}"), &["test", "result", "time"], &rows).folded(&summary));
    }
    if !blocks.is_empty() {
        blocks.insert(0, heading("tests", "Tests"));
    }
    blocks
}

fn row(step: &StepReport, escape: Escape<'_>) -> Vec<String> {
    let again = if step.attempts > 1 { format!(" on attempt {}", step.attempts) } else { String::new() };
    let result = match step.result {
        Some(StepResult::Passed) => format!("✅ passed{again}"),
        Some(StepResult::Failed) => format!("❌ failed{again}"),
        Some(StepResult::Ignored) => format!("⚠️ failed{again} (ignored)"),
        None => "🚫 not finished".to_owned(),
    };
    vec![escape.text(&step.name), result, human(step.took)]
}
