//! The job summary: the whole report as Markdown.

use ami_bake_core::report::Report;

use crate::context::Context;
use crate::markdown::{Limit, fit};
use crate::sections;

/// Maximum size: GitHub drops summaries of more than 1 MiB per step (docs/dev/github.md, "Reports").
const LIMIT: Limit = Limit::Bytes(1 << 20);

/// The report as Markdown, within the limit of a job summary.
pub fn render(report: &Report, context: &Context<'_>) -> String {
    let blocks = sections::all(report, context);
    fit(&blocks, LIMIT, |missing| {
        format!("\n> [!NOTE]\n> Too long for a job summary. Left out: {}. See bake-report.json.\n", missing.join(", "))
    })
}
