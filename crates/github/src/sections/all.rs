//! Lists the sections of a report in order.

use ami_bake_core::report::Report;

use super::{
    comparison, deployments, failures, images, machines, notices, packages, regions, tests, timeline, verdict, written,
};
use crate::context::Context;
use crate::markdown::Block;

/// All sections, most important first: close to the limit, the last ones are left out.
pub(crate) fn all(report: &Report, context: &Context<'_>) -> Vec<Block> {
    [
        verdict::verdict(report, context),
        images::images(report, context),
        images::reasons(report, context),
        failures::failures(report, context),
        comparison::comparison(report, context),
        notices::notices(report, context),
        written::written(context),
        regions::regions(report, context),
        deployments::deployments(report, context),
        packages::packages(report, context),
        tests::tests(report, context),
        timeline::timeline(report),
        machines::machines(report, context),
        verdict::footer(report, context),
    ]
    .concat()
}
