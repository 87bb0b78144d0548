//! Extra variables with the values of their secrets.

use ami_bake_core::plan::{SecretPart, Step, Value};
use ami_bake_core::{Result, Run};

use crate::shell::secret;

/// The JSON object of a step's `vars`. A secret stands inside a string, so that its value is escaped as one.
///
/// # Errors
/// A secret without a value.
pub(super) fn json(run: &Run, step: &Step, vars: &Value) -> Result<String> {
    let parts = match vars {
        Value::Plain(text) => return Ok(text.clone()),
        Value::Secret(parts) => parts,
    };
    let mut whole = String::new();
    for part in parts {
        match part {
            SecretPart::Text(text) => whole.push_str(text),
            SecretPart::Name(name) => {
                let value = secret(run, "vars", name).map_err(|error| error.at(step.route.key("vars")))?;
                let quoted = serde_json::Value::from(value).to_string();
                let escaped = &quoted[1..quoted.len() - 1];
                // Ansible shows results as JSON.
                run.masker().add(escaped);
                whole.push_str(escaped);
            }
        }
    }
    Ok(whole)
}
