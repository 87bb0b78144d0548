//! Generates the JSON Schema (draft 2020-12) from the types.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::model::{Document, Image};

/// The schema for editors: every scalar can also be an expression.
pub fn schema() -> Value {
    let mut schema = strict();
    allow_expressions(&mut schema);
    if let Some(map) = schema.as_object_mut() {
        map.insert("$id".to_owned(), "https://ami-bake.github.io/schema/bake.schema.json".into());
    }
    schema
}

/// The schema for validation. Expressions are validated separately.
pub(super) fn strict() -> Value {
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

/// Allows an expression in place of a number, a boolean, an enum value or a string with a pattern.
fn allow_expressions(schema: &mut Value) {
    let Value::Object(map) = schema else {
        return;
    };
    for (key, value) in map.iter_mut() {
        match key.as_str() {
            "properties" | "$defs" => {
                if let Value::Object(children) = value {
                    children.values_mut().for_each(allow_expressions);
                }
            }
            "items" | "additionalProperties" => allow_expressions(value),
            "anyOf" | "oneOf" => {
                if let Value::Array(choices) = value {
                    choices.iter_mut().for_each(allow_expressions);
                }
            }
            _ => {}
        }
    }
    if narrow(map) {
        let inner = Value::Object(map.clone());
        let mut outer = Map::new();
        for key in ["description", "title", "examples"] {
            if let Some(value) = map.get(key) {
                outer.insert(key.to_owned(), value.clone());
            }
        }
        outer.insert("anyOf".to_owned(), json!([inner, { "type": "string", "pattern": r"\$\{\{[\s\S]*\}\}" }]));
        *map = outer;
    }
}

fn narrow(map: &Map<String, Value>) -> bool {
    match map.get("type") {
        Some(Value::String(name)) if name == "string" => {
            ["pattern", "enum", "const"].iter().any(|key| map.contains_key(*key))
        }
        Some(Value::String(name)) if matches!(name.as_str(), "integer" | "number" | "boolean") => true,
        _ => map.contains_key("enum") || map.contains_key("const"),
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
    fn the_schema_is_one_and_takes_expressions() {
        let schema = schema();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let manifest = json!({
            "format": 1,
            "images": { "web": {
                "source": { "ami": { "id": "${{ vars.ami }}" } },
                "machine": { "disk": { "size": "${{ vars.size }}" } },
                "build": [{ "run": "true", "retries": "${{ vars.retries }}" }],
            } },
        });
        let problems: Vec<_> =
            validator.iter_errors(&manifest).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(problems.is_empty(), "{problems:#?}");
        assert!(!validator.is_valid(&json!({ "format": 1, "images": { "web": { "buidl": [] } } })));
    }

    #[test]
    fn nothing_may_be_null_but_variables() {
        let schema = strict().to_string();
        assert!(!schema.contains("\"null\""), "{schema}");
    }
}
