//! Inputs and outputs of the steps that have run.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

/// Outputs of a step, by name.
pub(crate) type Outputs = BTreeMap<String, String>;

/// Inputs and outputs of a finished step.
#[derive(Debug, Clone, Default)]
pub(crate) struct FinishedStep {
    /// Inputs with every reference replaced.
    pub(crate) inputs: Value,
    /// Outputs of the step.
    pub(crate) outputs: Outputs,
}

/// Finished steps by phase and name.
pub(crate) type Memory = HashMap<(String, String), FinishedStep>;

/// An iteration of a loop: its index from 0, and its value.
pub(crate) type Turn = (usize, String);
