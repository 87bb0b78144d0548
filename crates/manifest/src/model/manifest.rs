//! The document.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;

use super::{Dollars, Image, Name, Ordered, Region, RoleArn, VersionText};

/// The number of the manifest's format.
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

/// Where images are baked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// Amazon EC2: the image is an AMI.
    #[default]
    Aws,
    /// A sandbox on this machine: the image is in the local store.
    Local,
    /// Docker: the image is a container image.
    Docker,
}

impl Platform {
    /// The word in the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Local => "local",
            Self::Docker => "docker",
        }
    }
}

/// A bake manifest: one image or a family of images, on any platform.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "Bake manifest")]
pub struct Document {
    /// The format of this manifest: `1`.
    pub format: Format,
    /// The namespace of its images: versions, cache and retention never cross it. Default: the repository's name.
    pub name: Option<Name>,
    /// The version of the images. Default: `auto`.
    pub version: Option<VersionText>,
    /// Where the images are baked; `--platform` overrides it. Default: `aws`.
    pub platform: Option<Platform>,
    /// Variables and their defaults, read as `${{ vars.NAME }}`; `null` means that the value must be given.
    #[serde(default)]
    pub vars: Ordered<Value>,
    /// Names of environment variables whose values are masked and never reach an image.
    #[serde(default)]
    pub secrets: Vec<SecretName>,
    /// What differs from place to place; `--environment NAME` lays one over the file.
    #[serde(default)]
    pub environments: Ordered<Environment>,
    /// Where on AWS, and as whom.
    pub aws: Option<Aws>,
    /// What all images share: maps are merged with the image's own, lists are replaced.
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
            "title": "the name of an environment variable",
            "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
            "examples": ["DEPLOY_TOKEN"],
        })
    }
}

/// One environment: laid over the file, map by map; lists are replaced.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Environment {
    /// The namespace of the images.
    pub name: Option<Name>,
    /// The version of the images.
    pub version: Option<VersionText>,
    /// Where the images are baked.
    pub platform: Option<Platform>,
    /// Values of variables that the file declares.
    pub vars: Ordered<Value>,
    /// Names of environment variables whose values are masked; replaces the file's list.
    pub secrets: Vec<SecretName>,
    /// Where on AWS, and as whom.
    pub aws: Option<Aws>,
    /// What all images share.
    pub defaults: Option<Image>,
    /// What differs for single images.
    #[schemars(schema_with = "super::image::images")]
    pub images: Ordered<Image>,
}

/// Where on AWS, and as whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Aws {
    /// The home region; the environment's without.
    pub region: Option<Region>,
    /// The role to assume, in a workflow by GitHub's identity token.
    pub role: Option<RoleArn>,
    /// What machine types cost you an hour, in US dollars: with it the report says what a bake's machines cost. Spot
    /// capacity is told by its market price.
    pub hourly: Ordered<Dollars>,
}
