//! Access to the inputs of a step, with every reference replaced.

use ami_bake_core::{Error, Result};
use serde_json::Value;

use crate::document::flag;

/// One map of inputs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inputs<'a>(&'a Value);

impl<'a> Inputs<'a> {
    /// The inputs of a module with one map; a list of one map counts as a map.
    pub(super) fn single(inputs: &'a Value) -> Self {
        match inputs {
            Value::Array(items) => Self(items.first().unwrap_or(&Value::Null)),
            _ => Self(inputs),
        }
    }

    /// The inputs of a module with a list of maps.
    pub(super) fn all(inputs: &'a Value) -> Vec<Self> {
        inputs.as_array().map(|items| items.iter().map(Self).collect()).unwrap_or_default()
    }

    /// An optional text.
    pub(super) fn text(self, name: &str) -> Option<&'a str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// A required text.
    pub(super) fn need(self, name: &str) -> Result<&'a str> {
        match self.text(name) {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(Error::build(format!("`{name}` is empty"))),
        }
    }

    /// A path on the machine, in a form that no tool reads as an option.
    pub(super) fn path(self, name: &str) -> Result<String> {
        let path = self.need(name)?;
        Ok(if path.starts_with('-') { format!("./{path}") } else { path.to_owned() })
    }

    /// A boolean.
    pub(super) fn flag(self, name: &str, without: bool) -> Result<bool> {
        let Some(text) = self.text(name) else { return Ok(without) };
        flag(text).ok_or_else(|| Error::build(format!("`{name}` has to be `true` or `false`, not `{text}`")))
    }

    /// A list of texts.
    pub(super) fn texts(self, name: &str) -> Vec<&'a str> {
        let items = self.0.get(name).and_then(Value::as_array);
        items.map(|items| items.iter().map(|item| item.as_str().unwrap_or_default()).collect()).unwrap_or_default()
    }

    /// A list of maps with `name` and `value`.
    pub(super) fn pairs(self, name: &str) -> Vec<(String, String)> {
        let items = self.0.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let word = |item: &Value, key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
        items.iter().filter_map(|item| Some((word(item, "name")?, word(item, "value")?))).collect()
    }
}
