//! Secrets in evaluated text: their names are between marks there, and separate in the values of the plan.

use ami_bake_core::plan::{SecretPart, Value};

/// Surrounds a secret's name in an evaluated text; no environment variable can hold it, and no file's text may.
pub(crate) const SECRET: char = '\0';

/// Text with the names of secrets between marks: every second part is a name.
pub(crate) fn value(text: &str) -> Value {
    if !text.contains(SECRET) {
        return Value::Plain(text.to_owned());
    }
    let parts = text.split(SECRET).enumerate().filter(|(_, part)| !part.is_empty());
    let part = |(at, part): (usize, &str)| {
        if at % 2 == 1 { SecretPart::Name(part.to_owned()) } else { SecretPart::Text(part.to_owned()) }
    };
    Value::Secret(parts.map(part).collect())
}

/// Values as one JSON object, with the names of secrets between marks inside its strings. JSON would escape a mark, so
/// that another character replaces it meanwhile: one that no manifest can hold, since it is not a character (Unicode
/// 23.7).
pub(crate) fn object(values: Vec<(String, serde_json::Value)>) -> Value {
    const STAND_IN: char = '\u{10ffff}';
    fn swap(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => *text = text.replace(SECRET, STAND_IN.encode_utf8(&mut [0; 4])),
            serde_json::Value::Array(items) => items.iter_mut().for_each(swap),
            serde_json::Value::Object(map) => map.values_mut().for_each(swap),
            _ => {}
        }
    }
    let mut object = serde_json::Value::Object(values.into_iter().collect());
    swap(&mut object);
    value(&object.to_string().replace(STAND_IN, SECRET.encode_utf8(&mut [0; 4])))
}
