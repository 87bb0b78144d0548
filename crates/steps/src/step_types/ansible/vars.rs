//! Extra variables with the values of their secrets.

use ami_bake_core::plan::{Step, Value};
use ami_bake_core::{Result, Run};

use crate::shell::exposed;

/// The JSON object of a step's `vars`. Secrets are inside strings, so their values are escaped accordingly.
///
/// # Errors
/// When a secret has no value.
pub(super) fn json(run: &Run, step: &Step, vars: &Value) -> Result<String> {
    exposed(run, "vars", vars, &escaped).map_err(|error| error.at(step.route.key("vars")))
}

/// A text escaped for use within a JSON string.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}
