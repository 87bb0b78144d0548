//! The parts of a rendered report, each a fold over the one model.

mod deployments;
mod failures;
mod images;
mod machines;
mod notices;
mod packages;
mod regions;
mod tests;
mod timeline;
mod verdict;

use ami_bake_core::report::Report;

use crate::context::Context;
use crate::markdown::Block;

pub(crate) use images::images;
pub(crate) use packages::since_last;
pub(crate) use regions::regions;

/// Everything, what matters most first: where a limit is near, the last goes first.
pub(crate) fn all(report: &Report, context: &Context<'_>) -> Vec<Block> {
    [
        verdict::verdict(report, context),
        images(report, context),
        failures::failures(report, context),
        notices::notices(report, context),
        regions(report, context),
        deployments::deployments(report, context),
        packages::packages(report, context),
        tests::tests(report, context),
        timeline::timeline(report),
        machines::machines(report, context),
        verdict::footer(report, context),
    ]
    .concat()
}

/// `count` things: `1 test`, `2 tests`.
fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}
