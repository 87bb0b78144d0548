//! A step: its type, and the keys that all steps have.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

use super::{
    Ansible, Chef, Component, Download, DurationText, Expectation, Ordered, Platform, Reboot, Run, Script, Upload, Wait,
};

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
    /// What it does.
    pub verb: Verb,
}

/// What a step does.
#[derive(Debug, Clone)]
#[allow(missing_docs, clippy::large_enum_variant)] // few of them, and each is taken apart at once
pub enum Verb {
    Run(Run),
    Script(Script),
    Upload(Upload),
    Download(Download),
    Ansible(Ansible),
    Chef(Chef),
    Component(Component),
    Reboot(Reboot),
    Wait(Wait),
    Expect(Expectation),
}

impl Verb {
    /// The step types, in the order of the reference.
    pub const NAMES: [&str; 10] =
        ["run", "script", "upload", "download", "ansible", "chef", "component", "reboot", "wait", "expect"];

    /// Keys that all steps have.
    pub const COMMON: [&str; 8] = ["name", "if", "env", "timeout", "retries", "on-failure", "platforms", "cache-for"];

    fn read(name: &str, own: Map<String, Value>) -> Result<Self, serde_json::Error> {
        fn typed<T: DeserializeOwned>(own: Map<String, Value>) -> Result<T, serde_json::Error> {
            serde_json::from_value(own.into())
        }
        Ok(match name {
            "run" => Self::Run(typed(own)?),
            "script" => Self::Script(typed(own)?),
            "upload" => Self::Upload(typed(own)?),
            "download" => Self::Download(typed(own)?),
            "ansible" => Self::Ansible(typed(own)?),
            "chef" => Self::Chef(typed(own)?),
            "component" => Self::Component(typed(own)?),
            "reboot" => Self::Reboot(typed(own)?),
            "wait" => Self::Wait(typed(own)?),
            _ => Self::Expect(typed(own)?),
        })
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = Map::deserialize(deserializer)?;
        let (common, own): (Map<_, _>, Map<_, _>) =
            map.into_iter().partition(|(key, _)| Verb::COMMON.contains(&key.as_str()));
        let mut verbs = Verb::NAMES.iter().filter(|name| own.contains_key(**name));
        let (Some(name), None) = (verbs.next(), verbs.next()) else {
            return Err(de::Error::custom("a step has exactly one verb"));
        };
        let common = serde_json::from_value(common.into()).map_err(de::Error::custom)?;
        let verb = Verb::read(name, own).map_err(de::Error::custom)?;
        Ok(Self { common, verb })
    }
}

impl JsonSchema for Step {
    fn schema_name() -> Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let common = Common::json_schema(generator);
        let verbs: [(&str, Schema); 10] = [
            ("Run", Run::json_schema(generator)),
            ("Script", Script::json_schema(generator)),
            ("Upload", Upload::json_schema(generator)),
            ("Download", Download::json_schema(generator)),
            ("Ansible", Ansible::json_schema(generator)),
            ("Chef", Chef::json_schema(generator)),
            ("Component", Component::json_schema(generator)),
            ("Reboot", Reboot::json_schema(generator)),
            ("Wait", Wait::json_schema(generator)),
            ("Expect", Expectation::json_schema(generator)),
        ];
        let mut references = Vec::new();
        for (name, mut schema) in verbs {
            let shared = common.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
            if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
                properties.extend(shared);
            }
            let definition = format!("{name}Step");
            references
                .push(Value::from(Map::from_iter([("$ref".to_owned(), Value::from(format!("#/$defs/{definition}")))])));
            generator.definitions_mut().insert(definition, schema.to_value());
        }
        json_schema!({ "description": "A step: a map with exactly one verb.", "type": "object", "oneOf": references })
    }
}

fn environment(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": { "title": "environment variable name", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "examples": ["DEBIAN_FRONTEND"] },
        "additionalProperties": { "type": "string" },
    })
}
