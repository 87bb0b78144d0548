//! Generates the JSON Schema (draft 2020-12) from the types.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::model::{Document, Image};

/// The schema for validation. Expressions are validated separately.
pub(crate) fn strict() -> Value {
    without_null(SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Document>().to_value())
}

/// The schema of one image, after its expressions were evaluated.
pub(super) fn strict_image() -> Value {
    without_null(SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Image>().to_value())
}

/// schemars allows `null` for every `Option`; in a manifest, absent keys are left out.
fn without_null(mut schema: Value) -> Value {
    clean(&mut schema);
    schema
}

fn clean(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(clean),
        Value::Object(map) => {
            map.values_mut().for_each(clean);
            drop_null(map);
            merge_words(map);
            // `format` has names of Rust types for integers, and `default` only repeats the meaning of a missing key.
            if map.get("format").is_some_and(Value::is_string) {
                map.remove("format");
            }
            map.remove("default");
        }
        _ => {}
    }
}

fn drop_null(map: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            map.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = map.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
        if let [only] = choices.as_slice()
            && let Value::Object(only) = only.clone()
        {
            map.remove("anyOf");
            for (key, value) in only {
                map.entry(key).or_insert(value);
            }
        }
    }
    if let Some(Value::Array(choices)) = map.get_mut("enum") {
        choices.retain(|choice| !choice.is_null());
    }
}

/// schemars generates a `oneOf` of constants for enums with descriptions; editors and messages need one `enum`.
fn merge_words(map: &mut Map<String, Value>) {
    let Some(choices) = map.get("oneOf").and_then(Value::as_array) else {
        return;
    };
    let words: Option<Vec<Value>> =
        choices.iter().map(|choice| choice.get("const").filter(|word| word.is_string()).cloned()).collect();
    let Some(words) = words else {
        return;
    };
    let descriptions: Vec<Value> =
        choices.iter().map(|choice| choice.get("description").cloned().unwrap_or_else(|| "".into())).collect();
    map.remove("oneOf");
    map.insert("type".to_owned(), "string".into());
    map.insert("enum".to_owned(), words.into());
    map.insert("enumDescriptions".to_owned(), descriptions.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_may_be_null_but_variables() {
        let schema = strict().to_string();
        assert!(!schema.contains("\"null\""), "{schema}");
    }
}
