//! What is known of the steps that ran.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

/// Outputs of a step, by name.
pub(crate) type Outputs = BTreeMap<String, String>;

/// Inputs and outputs of a step that ran.
#[derive(Debug, Clone, Default)]
pub(crate) struct FinishedStep {
    /// Its inputs, with every reference replaced.
    pub(crate) inputs: Value,
    /// Outputs of the step.
    pub(crate) outputs: Outputs,
}

/// What is known of the steps that ran, by phase and name.
pub(crate) type Memory = HashMap<(String, String), FinishedStep>;

/// A turn of a loop: its index from 0, and its value.
pub(crate) type Turn = (usize, String);
