//! The cargo feature `github`: the program as an action and as a step of a workflow, and `ami-bake report`.
//!
//! As an action, inputs become a command line, a run's events become groups, annotations and outputs, and the post step
//! cleans up after a cancelled job.

mod action;
mod annotate;
mod early_signals;
mod feedback;
mod fork;
mod host;
mod inputs;
mod outputs;
mod post;
mod report;
mod reporter;
mod results;
mod start;
mod step;
mod workflow;
mod write_back;

pub(super) use report::{Args as ReportArgs, run as report};
pub(super) use start::{RunCommand, run_action};
pub(super) use step::{host, line_rule};

#[cfg(test)]
mod tests;
