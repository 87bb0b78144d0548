//! Secrets in evaluated text, where their names are between marks; in the plan's values they are separate parts.

use ami_bake_core::plan::{SecretPart, Value};

/// Surrounds the name of a secret in evaluated text. No environment variable can contain it, and no text of a file may.
pub(crate) const SECRET: char = '\0';

/// Splits text with marked names of secrets: every second part is a name.
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

/// Values as one JSON object, with marked names of secrets in its strings. JSON would escape a mark, so it is
/// temporarily replaced by a code point that no manifest can contain, since it is a noncharacter (Unicode 23.7).
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
