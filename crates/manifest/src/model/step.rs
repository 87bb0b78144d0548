//! Steps: a step type, and the keys that all steps have.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

use super::step_types::{STEP_TYPES, StepSettings, StepType};
use super::{DurationText, Ordered, Platform};

/// The keys that all steps have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Common {
    /// The name of the step in logs and reports. Default: derived from the step.
    pub name: Option<String>,
    /// An expression; the step runs only when it is true.
    #[schemars(schema_with = "super::condition")]
    pub r#if: Option<Value>,
    /// Environment variables. This is the place for secrets: `TOKEN: ${{ secrets.TOKEN }}`.
    #[schemars(schema_with = "environment")]
    pub env: Ordered<String>,
    /// The time limit of one attempt.
    pub timeout: Option<DurationText>,
    /// How often the step is retried after a failure. Default: `0`.
    #[schemars(range(max = 100))]
    pub retries: u32,
    /// What to do when the step fails. Default: `abort`.
    pub on_failure: Option<OnFailureChoice>,
    /// The platforms that the step runs on. Default: all.
    pub platforms: Option<Vec<Platform>>,
    /// How long a cached image may be reused despite this step, for steps whose result changes over time. Default: no
    /// limit.
    pub cache_for: Option<DurationText>,
}

/// What to do when a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailureChoice {
    /// Stop; the bake fails.
    Abort,
    /// Run the next steps; the bake fails at the end.
    Continue,
    /// Report the failure and go on.
    Ignore,
}

/// A step: a map with exactly one step type, such as `run` or `upload`.
#[derive(Debug, Clone)]
pub struct Step {
    /// The keys that all steps have.
    pub common: Common,
    /// Type of the step.
    pub step_type: &'static StepType,
    /// Settings of the step type.
    pub settings: Arc<dyn StepSettings>,
}

/// Keys that all steps have.
pub const COMMON_KEYS: [&str; 8] = ["name", "if", "env", "timeout", "retries", "on-failure", "platforms", "cache-for"];

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = Map::deserialize(deserializer)?;
        let (common, own): (Map<_, _>, Map<_, _>) =
            map.into_iter().partition(|(key, _)| COMMON_KEYS.contains(&key.as_str()));
        let mut types = STEP_TYPES.iter().filter(|known| own.contains_key(known.key));
        let (Some(step_type), None) = (types.next(), types.next()) else {
            return Err(de::Error::custom("a step has exactly one type"));
        };
        let common = serde_json::from_value(common.into()).map_err(de::Error::custom)?;
        let settings = step_type.read(own).map_err(de::Error::custom)?;
        Ok(Self { common, step_type, settings })
    }
}

impl JsonSchema for Step {
    fn schema_name() -> Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let common = Common::json_schema(generator);
        let mut references = Vec::new();
        let schemas: Vec<(String, Schema)> =
            STEP_TYPES.iter().map(|known| (known.definition(), known.schema(generator))).collect();
        for (definition, mut schema) in schemas {
            let shared = common.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
            if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
                properties.extend(shared);
            }
            references
                .push(Value::from(Map::from_iter([("$ref".to_owned(), Value::from(format!("#/$defs/{definition}")))])));
            generator.definitions_mut().insert(definition, schema.to_value());
        }
        json_schema!({ "description": "A step: a map with exactly one step type, such as `run` or `upload`.", "type": "object", "oneOf": references })
    }
}

fn environment(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": { "title": "environment variable name", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "examples": ["DEBIAN_FRONTEND"] },
        "additionalProperties": { "type": "string" },
    })
}
