//! Maps that can be abbreviated to the value of one key.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, de};
use serde_json::json;

/// A map that can be abbreviated to the value of one key.
pub trait Shorthand {
    /// Name of the key.
    const KEY: &'static str;
}

/// A `T`, written as a map or abbreviated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Short<T>(pub T);

impl<'de, T: Shorthand + DeserializeOwned> Deserialize<'de> for Short<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let map = if value.is_object() { value } else { json!({ T::KEY: value }) };
        serde_json::from_value(map).map(Self).map_err(de::Error::custom)
    }
}

impl<T: Shorthand + JsonSchema> JsonSchema for Short<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Short{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let full = generator.subschema_for::<T>();
        let alone = T::json_schema(generator)
            .get("properties")
            .and_then(|keys| keys.get(T::KEY))
            .cloned()
            .unwrap_or(json!(true));
        json_schema!({ "anyOf": [alone, full] })
    }
}
