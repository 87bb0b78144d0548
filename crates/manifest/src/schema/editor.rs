//! The schema for editors: what the program accepts, with the texts that an editor shows.

use serde_json::{Map, Value, json};

use super::generate::strict;

/// The schema for editors: every scalar can also be an expression, and every text a number or a boolean that YAML does
/// not change.
pub fn schema() -> Value {
    let mut schema = strict();
    let definitions = schema.get("$defs").cloned().unwrap_or_default();
    own_texts(&mut schema, &definitions, false);
    each(&mut schema, &mut |map| {
        default(map);
        allow(map);
    });
    if let Some(Value::Object(definitions)) = schema.get_mut("$defs") {
        definitions.iter_mut().for_each(|(name, definition)| name_step(name, definition));
    }
    if let Some(map) = schema.as_object_mut() {
        map.insert("$id".to_owned(), "https://ami-bake.github.io/schema/bake.schema.json".into());
    }
    schema
}

/// Leaves the description of a key as the only one that an editor has for it: of a definition it shows the text in place
/// of the key's, and of choices and items after it. What a described key refers to is inserted without its description.
fn own_texts(schema: &mut Value, definitions: &Value, described: bool) {
    let Value::Object(map) = schema else { return };
    let described = described || map.contains_key("description");
    if let Some(definition) = definition(map, definitions).filter(|_| described) {
        map.remove("$ref");
        for (key, value) in definition.iter().filter(|(key, _)| *key != "description") {
            map.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    for (key, value) in map.iter_mut() {
        let children: Vec<(&mut Value, bool)> = match (key.as_str(), value) {
            ("properties" | "$defs", Value::Object(children)) => children.values_mut().map(|c| (c, false)).collect(),
            ("anyOf", Value::Array(choices)) => choices.iter_mut().map(|choice| (choice, described)).collect(),
            // The kinds of steps have texts of their own.
            ("oneOf", Value::Array(choices)) => choices.iter_mut().map(|choice| (choice, false)).collect(),
            ("items", value) => vec![(value, described)],
            ("additionalProperties", value) => vec![(value, false)],
            _ => Vec::new(),
        };
        for (child, described) in children {
            if let Value::Object(child) = child
                && described
            {
                child.remove("description");
            }
            own_texts(child, definitions, described);
        }
    }
}

fn definition<'d>(map: &Map<String, Value>, definitions: &'d Value) -> Option<&'d Map<String, Value>> {
    let name = map.get("$ref")?.as_str()?.strip_prefix("#/$defs/")?;
    definitions.get(name)?.as_object()
}

/// Calls `change` for every schema in a schema, the inner ones first.
fn each(schema: &mut Value, change: &mut dyn FnMut(&mut Map<String, Value>)) {
    let Value::Object(map) = schema else { return };
    for (key, value) in map.iter_mut() {
        match (key.as_str(), value) {
            ("properties" | "$defs", Value::Object(children)) => {
                children.values_mut().for_each(|child| each(child, change));
            }
            ("anyOf" | "oneOf", Value::Array(choices)) => choices.iter_mut().for_each(|choice| each(choice, change)),
            ("items" | "additionalProperties", value) => each(value, change),
            _ => {}
        }
    }
    change(map);
}

/// Adds the value of ``Default: `VALUE` `` at the end of a description.
fn default(map: &mut Map<String, Value>) {
    let Some(description) = map.get("description").and_then(Value::as_str) else { return };
    let Some((_, value)) = description.rsplit_once("Default: `") else { return };
    let Some(value) = value.trim_end().strip_suffix("`.").filter(|value| !value.contains('`')) else { return };
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    map.insert("default".to_owned(), value);
}

/// Allows an expression in place of a number, a boolean, an enum value or a string with a pattern, and other scalars
/// in place of text.
fn allow(map: &mut Map<String, Value>) {
    let kind = map.get("type").and_then(Value::as_str);
    let words = map.contains_key("enum") || map.contains_key("const");
    let expression = json!({ "type": "string", "pattern": r"\$\{\{[\s\S]*\}\}" });
    let others = match (kind, map.get("pattern")) {
        (Some("string"), Some(_)) if !words => scalars(map),
        (Some("string"), None) if !words => {
            map.insert("type".to_owned(), json!(["string", "number", "boolean"]));
            return;
        }
        (Some("integer" | "number" | "boolean"), _) => Vec::new(),
        _ if words => Vec::new(),
        _ => return,
    };
    let mut outer = Map::new();
    for key in ["description", "title", "examples", "default"] {
        if let Some(value) = map.remove(key) {
            outer.insert(key.to_owned(), value);
        }
    }
    let mut choices = vec![Value::Object(std::mem::take(map)), expression];
    choices.extend(others);
    outer.insert("anyOf".to_owned(), choices.into());
    *map = outer;
}

/// The types of other scalars whose text may be valid in this schema of a string.
fn scalars(text: &Map<String, Value>) -> Vec<Value> {
    let Ok(validator) = jsonschema::validator_for(&Value::Object(text.clone())) else { return Vec::new() };
    let samples = [
        ("integer", ["0", "1", "5", "80", "2026", "111122223333"].as_slice()),
        ("number", &["0.5", "1.5"]),
        ("boolean", &["true", "false"]),
    ];
    let valid = samples.into_iter().filter(|(_, texts)| texts.iter().any(|text| validator.is_valid(&json!(text))));
    valid.map(|(kind, _)| json!({ "type": kind })).collect()
}

/// Names the definition of a step like its key: editors offer it under its title.
fn name_step(name: &str, definition: &mut Value) {
    let Value::Object(map) = definition else { return };
    let key = map.get("required").and_then(|keys| keys.get(0)).cloned();
    if let Some(key) = key.filter(|_| name.ends_with("Step")) {
        map.insert("title".to_owned(), key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(manifest: &Value) -> Vec<String> {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        validator.iter_errors(manifest).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    fn image(image: &Value) -> Value {
        json!({ "format": 1, "images": { "web": image } })
    }

    #[test]
    fn expressions_stand_for_scalars() {
        let manifest = image(&json!({
            "source": { "ami": { "id": "${{ vars.ami }}" } },
            "machine": { "disk": { "size": "${{ vars.size }}" } },
            "build": [{ "run": "true", "retries": "${{ vars.retries }}" }],
        }));
        assert_eq!(problems(&manifest), [""; 0]);
        assert_ne!(problems(&image(&json!({ "buidl": [] }))), [""; 0]);
    }

    #[test]
    fn defaults_are_values() {
        let schema = schema();
        let step = |key: &str| &schema["$defs"]["RunStep"]["properties"][key]["default"];
        assert_eq!(step("retries"), 0);
        assert_eq!(step("on-failure"), "abort");
        assert_eq!(step("shell"), "bash -euo pipefail");
        assert!(step("name").is_null());
    }
}
