//! Masks secrets in JSON values.

use serde_json::Value;

use super::masker::Masker;

/// Masks secrets in all strings of a value, including keys; numbers and the structure stay.
pub fn mask_json(value: &mut Value, masker: &Masker) {
    match value {
        Value::String(text) => *text = masker.mask(text),
        Value::Array(values) => values.iter_mut().for_each(|value| mask_json(value, masker)),
        Value::Object(fields) => {
            if fields.keys().any(|key| masker.mask(key) != *key) {
                *fields = std::mem::take(fields).into_iter().map(|(key, value)| (masker.mask(&key), value)).collect();
            }
            fields.values_mut().for_each(|value| mask_json(value, masker));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
