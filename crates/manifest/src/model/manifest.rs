//! The top level of the manifest.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;

use super::{Dollars, Image, Name, Ordered, Platform, Region, RoleArn, VersionText};

/// The version of the manifest format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Format(pub u32);

impl JsonSchema for Format {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Format".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "const": 1 })
    }
}

/// A bake manifest: one image or a family of images, for any platform.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "Bake manifest")]
pub struct Document {
    /// The version of the manifest format: `1`.
    pub format: Format,
    /// The namespace of the images. Versions, cache and retention are separate for each namespace. Default: the name
    /// of the repository.
    pub name: Option<Name>,
    /// The version of the images. Default: `auto`.
    pub version: Option<VersionText>,
    /// Where to bake the images; `--platform` overrides it. Default: `aws`.
    pub platform: Option<Platform>,
    /// The AWS region and role.
    pub aws: Option<Aws>,
    /// Variables and their defaults, used as `${{ vars.NAME }}`. A variable with the default `null` must be set.
    #[serde(default)]
    pub vars: Ordered<Value>,
    /// Names of environment variables that hold secrets. Their values are masked and never end up in an image.
    #[serde(default)]
    pub secrets: Vec<SecretName>,
    /// Environments such as staging and production. `--environment NAME` merges one into the manifest.
    #[serde(default)]
    pub environments: Ordered<Environment>,
    /// Defaults for all images. Maps are merged with those of the image, lists are replaced.
    pub defaults: Option<Image>,
    /// The images, by name.
    #[schemars(schema_with = "super::image::images")]
    pub images: Ordered<Image>,
}

/// The name of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SecretName(pub String);

impl JsonSchema for SecretName {
    fn schema_name() -> Cow<'static, str> {
        "SecretName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "title": "environment variable name",
            "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
            "examples": ["DEPLOY_TOKEN"],
        })
    }
}

/// One environment. Its maps are merged into the manifest, its lists replace those of the manifest.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Environment {
    /// The namespace of the images.
    pub name: Option<Name>,
    /// The version of the images.
    pub version: Option<VersionText>,
    /// Where to bake the images.
    pub platform: Option<Platform>,
    /// The AWS region and role.
    pub aws: Option<Aws>,
    /// Values of variables that the manifest declares.
    pub vars: Ordered<Value>,
    /// Names of environment variables that hold secrets; replaces the manifest's list.
    pub secrets: Vec<SecretName>,
    /// Defaults for all images.
    pub defaults: Option<Image>,
    /// Settings of individual images.
    #[schemars(schema_with = "super::image::images")]
    pub images: Ordered<Image>,
}

/// The AWS region and role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Aws {
    /// The home region. Default: from the environment.
    pub region: Option<Region>,
    /// The IAM role to assume; in a GitHub workflow with its OIDC token. Default: the credentials of the environment.
    pub role: Option<RoleArn>,
    /// The hourly price of machine types in US dollars, so that the report can show what the machines of a bake cost.
    /// Spot machines are shown at their market price.
    pub hourly: Ordered<Dollars>,
    /// Tags of everything that a bake creates, from its creation on: machines, disks, network interfaces, key pairs,
    /// security groups, roles, instance profiles, snapshots, images and their copies. `machine.tags` and `publish.tags`
    /// override them.
    #[schemars(schema_with = "super::publish::shared_tags")]
    pub tags: Ordered<String>,
}
