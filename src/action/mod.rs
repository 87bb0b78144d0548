//! The program as a GitHub action: inputs become a command line, a run's events become groups, annotations and outputs,
//! and what a cancelled job left is taken away by its post step.

mod annotate;
mod current;
mod fork;
mod inputs;
mod outputs;
mod post;
mod reporter;
mod start;
mod tell;

pub(crate) use annotate::of_findings;
pub(crate) use current::{Action, current};
pub(crate) use reporter::reporter;
pub(crate) use start::main;

#[cfg(test)]
mod tests;
