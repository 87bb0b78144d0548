//! The first lines of a report with the result of the run, and the last line with its ID.

use ami_bake_core::duration::human;
use ami_bake_core::error::UNCLEAN;
use ami_bake_core::report::{Report, Status};

use super::count::count;
use crate::context::Context;
use crate::markdown::Block;

pub(super) fn verdict(report: &Report, context: &Context<'_>) -> Vec<Block> {
    let escape = context.escape();
    let (sign, end) = ending(report);
    let name = if report.namespace.is_empty() { "ami-bake".to_owned() } else { escape.text(&report.namespace) };
    let mut text = format!("## {sign} {name}: {end}\n\n");
    let mut facts = Vec::new();
    if !report.platform.is_empty() {
        let region = report.region.as_deref().map(|region| format!(" in {}", escape.text(region))).unwrap_or_default();
        facts.push(format!("on {}{region}", escape.text(&report.platform)));
    }
    facts.push(human(report.took));
    if let Some(url) = context.run_link() {
        facts.push(format!("[workflow run]({url})"));
    }
    if let Some(url) = context.job_link() {
        facts.push(format!("[job]({url})"));
    }
    text.push_str(&format!("{}\n\n", facts.join(" · ")));
    if context.untrusted {
        text.push_str(
            "> [!NOTE]\n> Baked for a pull request from a fork, without credentials. Nothing was published, and this report is \
             not trustworthy.\n\n",
        );
    }
    vec![Block::whole("the result", text)]
}

/// A sign and the result of the run.
fn ending(report: &Report) -> (&'static str, String) {
    let good = report.images.iter().filter(|image| image.status.is_good()).count();
    let bad = report.images.len() - good;
    match report.exit_code {
        Some(0) => ("✅", successes(report)),
        Some(UNCLEAN) => ("⚠️", format!("{}, but not clean", successes(report))),
        Some(130) => ("🚫", "cancelled".to_owned()),
        Some(3) => ("❌", "invalid manifest".to_owned()),
        Some(code) => {
            let what = match code {
                4 => "a preflight check failed",
                5 => "build failed",
                6 => "test failed",
                7 => "publish failed",
                8 => "deploy failed",
                _ => "failed",
            };
            let of = if report.images.len() > 1 && bad > 0 {
                format!(" ({bad} of {})", count(report.images.len(), "image"))
            } else {
                String::new()
            };
            ("❌", format!("{what}{of}"))
        }
        None => ("⚠️", "interrupted".to_owned()),
    }
}

/// A summary of successful images: `2 images baked, 1 reused`.
fn successes(report: &Report) -> String {
    let statuses = [Status::Baked, Status::Registered, Status::Tested, Status::Validated, Status::Reused];
    let mut parts: Vec<String> = Vec::new();
    for status in statuses {
        let number = report.images.iter().filter(|image| image.status == status).count();
        if number > 0 {
            let word = if status == Status::Reused { "unchanged" } else { status.as_str() };
            let number = if parts.is_empty() { count(number, "image") } else { number.to_string() };
            parts.push(format!("{number} {word}"));
        }
    }
    if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") }
}

pub(super) fn footer(report: &Report, context: &Context<'_>) -> Vec<Block> {
    let run =
        if report.run.is_empty() { String::new() } else { format!(" · run {}", context.escape().code(&report.run)) };
    vec![Block::whole("the run's id", format!("<sub>ami-bake {}{run}</sub>\n", env!("CARGO_PKG_VERSION")))]
}
