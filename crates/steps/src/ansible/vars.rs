//! Extra variables with the values of their secrets.

use ami_bake_core::plan::{Step, Value};
use ami_bake_core::{Result, Run};

use crate::shell::exposed;

/// The JSON object of a step's `vars`. A secret stands inside a string, so that its value is escaped as one.
///
/// # Errors
/// A secret without a value.
pub(super) fn json(run: &Run, step: &Step, vars: &Value) -> Result<String> {
    exposed(run, "vars", vars, &escaped).map_err(|error| error.at(step.route.key("vars")))
}

/// A text as it stands between a JSON string's quotes.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}
