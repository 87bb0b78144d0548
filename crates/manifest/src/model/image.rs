//! One image.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use super::{Deployment, Machine, Ordered, Platform, Publish, Source, Step};

/// One image: where it comes from, what is done to it, how it is tested, where it goes.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Image {
    /// What it is made from: an entry for each platform, or another image.
    pub source: Option<Source>,
    /// The machine that it is baked and tested on.
    pub machine: Option<Machine>,
    /// Steps that make the image.
    pub build: Vec<Step>,
    /// Steps on the build machine before the capture.
    pub validate: Vec<Step>,
    /// Steps on a fresh machine that booted the new image.
    pub test: Vec<Step>,
    /// What is taken out before the capture, and what stays.
    pub seal: Option<Seal>,
    /// How the disk is brought to rest before it is captured. Default: `halted`.
    pub capture: Option<CaptureChoice>,
    /// Where the image goes, and under which name.
    pub publish: Option<Publish>,
    /// What is moved to the image.
    pub deploy: Vec<Deployment>,
    /// Values: the image is baked once for each combination, and each variant is named `IMAGE-VALUE…`.
    #[schemars(schema_with = "matrix")]
    pub matrix: Ordered<Vec<Value>>,
    /// An expression: the image is baked when it is true.
    #[schemars(schema_with = "condition")]
    pub r#if: Option<Value>,
    /// The platforms on which the image is baked at all; all without.
    pub platforms: Option<Vec<Platform>>,
}

/// What the seal does not do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Seal {
    /// What stays although it is taken out by default.
    pub keep: Vec<KeepChoice>,
    /// Globs of files in which a private key is meant to be.
    pub allow: Vec<String>,
}

/// What the seal takes out by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeepChoice {
    /// Files below `/var/log`.
    Logs,
    /// Shell history.
    History,
    /// `/etc/machine-id`.
    MachineId,
    /// Package managers' caches.
    Caches,
    /// The SSH server's host keys.
    HostKeys,
}

/// How the disk is brought to rest before it is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CaptureChoice {
    /// As soon as the guest is proven down.
    Halted,
    /// When the platform says that the machine is stopped.
    Stopped,
    /// From the frozen file system of the running machine.
    Live,
}

/// `images`: image names are part of names, tags and paths.
pub(super) fn images(generator: &mut SchemaGenerator) -> Schema {
    let image = generator.subschema_for::<Image>();
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "propertyNames": { "title": "an image's name", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "examples": ["web"] },
        "additionalProperties": image,
    })
}

fn matrix(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": {
            "type": "array",
            "minItems": 1,
            "items": { "type": ["string", "number", "boolean"] },
        },
    })
}

/// `if`: an expression, with or without `${{ }}`.
pub(super) fn condition(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "boolean"], "examples": ["vars.channel == 'stable'"] })
}
