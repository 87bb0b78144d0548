//! The context of a module: one attempt of a step.

use ami_bake_core::Result;
use ami_bake_core::output::OutputSink;
use async_trait::async_trait;

use super::Summary;
use crate::document::{Invocation, Step};
use crate::machine::{Deadline, Machine};

/// One iteration of a loop in one attempt of a step.
pub(crate) struct Attempt<'a> {
    pub(crate) machine: &'a Machine<'a>,
    pub(crate) invocation: &'a Invocation<'a>,
    pub(crate) step: &'a Step,
    pub(crate) deadline: Deadline,
    /// The manifest's own deadline, which applies if the document sets none.
    pub(crate) outer: Deadline,
    /// Runs another document (`ExecuteDocument`).
    pub(crate) documents: &'a dyn DocumentRunner,
}

/// Runs documents: `ExecuteDocument` is a module, and documents are made of modules.
#[async_trait]
pub(crate) trait DocumentRunner: Sync {
    /// Runs a document within another one.
    ///
    /// # Errors
    /// The first failure that the document does not ignore.
    async fn run(
        &self,
        machine: &Machine<'_>,
        invocation: &Invocation<'_>,
        deadline: Deadline,
        output: &mut dyn OutputSink,
    ) -> Result<Summary>;
}
