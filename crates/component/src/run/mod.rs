//! Documents on machines.

mod components;
mod condition;
mod deadline;
mod machine;
mod phases;
mod scope;
mod step;
mod stored;

pub use components::Components;
pub(crate) use components::read_text;
pub(crate) use deadline::Deadline;
pub(crate) use machine::{Machine, RESTART, broken};
pub(crate) use phases::{Summary, Use, run};
pub(crate) use scope::{CONTEXT, ENVIRONMENT, REFUSED_METADATA, Scope};

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

/// What a step put out, by name.
pub(crate) type Outputs = BTreeMap<String, String>;

/// What is known of a step that ran.
#[derive(Debug, Clone, Default)]
pub(crate) struct Done {
    /// Its inputs, with every reference replaced.
    pub(crate) inputs: Value,
    pub(crate) outputs: Outputs,
}

/// What is known of the steps that ran, by phase and name.
pub(crate) type Memory = HashMap<(String, String), Done>;
