//! The order of keys: that of the reference, with conditions first.

use std::sync::LazyLock;

use serde_json::Value;

use crate::model::COMMON_KEYS;
use crate::schema;

static SCHEMA: LazyLock<Value> = LazyLock::new(schema::strict);

/// Keys of a step that come before its type: what it is called, and when it runs.
const STEP_FIRST: [&str; 2] = ["name", "if"];
/// Keys of an image that come first: when it is baked, and in which variants.
const IMAGE_FIRST: [&str; 3] = ["if", "platforms", "matrix"];

/// What the schema allows at a place in the manifest.
#[derive(Debug, Clone)]
pub(super) struct Place(Vec<Definition>);

#[derive(Debug, Clone, Copy)]
struct Definition {
    name: &'static str,
    schema: &'static Value,
}

impl Place {
    /// The top level.
    pub(super) fn root() -> Self {
        Self::of("", &SCHEMA)
    }

    fn of(name: &'static str, schema: &'static Value) -> Self {
        let mut found = Vec::new();
        gather(name, schema, &mut found);
        Self(found)
    }

    /// The definition of a map with these keys; `None` when its keys are a person's own, so that their order may mean
    /// something.
    fn definition(&self, keys: &[&str]) -> Option<Definition> {
        let known = |definition: &Definition| {
            let properties = definition.schema["properties"].as_object();
            properties.map_or(0, |properties| keys.iter().filter(|key| properties.contains_key(**key)).count())
        };
        // The first of those that know the most keys.
        self.0.iter().rev().max_by_key(|definition| known(definition)).filter(|best| known(best) > 0).copied()
    }

    /// The keys in order; `None` where the order of the file is kept.
    pub(super) fn order(&self, keys: &[&str]) -> Option<Vec<&'static str>> {
        let definition = self.definition(keys)?;
        let all: Vec<&'static str> = definition.schema["properties"].as_object()?.keys().map(String::as_str).collect();
        let mut order = vec!["<<"];
        let is_step = definition.name.ends_with("Step");
        if is_step {
            order.extend(STEP_FIRST);
        } else if definition.name == "Image" {
            order.extend(IMAGE_FIRST);
        }
        let late = |key: &&str| is_step && COMMON_KEYS.contains(key);
        let first = order.clone();
        order.extend(all.iter().filter(|key| !first.contains(key) && !late(key)));
        order.extend(all.iter().filter(|key| !first.contains(key) && late(key)));
        Some(order)
    }

    /// The place of a key's value in a map with these keys.
    pub(super) fn below(&self, keys: &[&str], key: &str) -> Self {
        let property = self.definition(keys).and_then(|found| found.schema["properties"].get(key));
        let of_any = || self.0.iter().find_map(|found| found.schema.get("additionalProperties"));
        property.or_else(of_any).map_or(Self(Vec::new()), |schema| Self::of("", schema))
    }

    /// The place of a list's items.
    pub(super) fn items(&self) -> Self {
        let items = self.0.iter().find_map(|found| found.schema.get("items"));
        items.map_or(Self(Vec::new()), |schema| Self::of("", schema))
    }
}

/// Adds a schema and what it refers to.
fn gather(name: &'static str, schema: &'static Value, found: &mut Vec<Definition>) {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return gather(name, &SCHEMA["$defs"][name], found);
    }
    found.push(Definition { name, schema });
    for choices in ["anyOf", "oneOf"] {
        for choice in schema[choices].as_array().into_iter().flatten() {
            gather(name, choice, found);
        }
    }
}
