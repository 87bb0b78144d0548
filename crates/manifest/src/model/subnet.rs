//! The subnets of a machine: by ID, or found by their tags and their VPC.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use super::{OneOrMany, Ordered, SubnetId, VpcId};

/// Subnet IDs, or a filter that finds subnets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubnetChoice {
    /// IDs.
    Ids(OneOrMany<SubnetId>),
    /// A filter.
    Filter(SubnetFilter),
}

/// Finds subnets when a machine starts. All that match are tried, those with the most free addresses first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[schemars(extend("minProperties" = 1))]
pub struct SubnetFilter {
    /// Tags of the subnets. In a value, `*` stands for any text and `?` for any character.
    #[schemars(schema_with = "filter_tags")]
    pub tags: Ordered<String>,
    /// The VPC of the subnets: its ID, or a filter that finds it.
    pub vpc: Option<VpcChoice>,
}

/// A VPC's ID, or a filter that finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VpcChoice {
    /// Its ID.
    Id(VpcId),
    /// A filter.
    Filter(VpcFilter),
}

/// Finds a VPC when a machine starts. Exactly one must match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct VpcFilter {
    /// Tags of the VPC. In a value, `*` stands for any text and `?` for any character.
    #[schemars(schema_with = "filter_tags")]
    pub tags: Ordered<String>,
}

/// Tags to look for; unlike tags that are set, they may be anyone's.
fn filter_tags(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "propertyNames": { "title": "tag key", "pattern": "^.{1,128}$", "examples": ["Name"] },
        "additionalProperties": { "type": "string", "maxLength": 256 },
    })
}

impl<'de> Deserialize<'de> for SubnetChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let choice = if value.is_object() {
            serde_json::from_value(value).map(Self::Filter)
        } else {
            serde_json::from_value(value).map(Self::Ids)
        };
        choice.map_err(de::Error::custom)
    }
}

impl JsonSchema for SubnetChoice {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SubnetChoice".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let id = generator.subschema_for::<SubnetId>();
        let filter = generator.subschema_for::<SubnetFilter>();
        json_schema!({ "anyOf": [id, { "type": "array", "items": id, "minItems": 1 }, filter] })
    }
}

impl<'de> Deserialize<'de> for VpcChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let choice = if value.is_object() {
            serde_json::from_value(value).map(Self::Filter)
        } else {
            serde_json::from_value(value).map(Self::Id)
        };
        choice.map_err(de::Error::custom)
    }
}

impl JsonSchema for VpcChoice {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "VpcChoice".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let id = generator.subschema_for::<VpcId>();
        let filter = generator.subschema_for::<VpcFilter>();
        json_schema!({ "anyOf": [id, filter] })
    }
}
