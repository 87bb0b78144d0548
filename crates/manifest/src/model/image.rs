//! An image of the manifest.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use super::{Deployment, Machine, Ordered, Platform, Publish, Source, Step, TestConnect};

/// One image: its source, the steps that build and test it, and where it is published.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Image {
    /// What the image is built from: one entry per platform, or another image.
    pub source: Option<Source>,
    /// The machine to build and test the image on.
    pub machine: Option<Machine>,
    /// Settings of all `run` and `script` steps that do not set them.
    pub run: Option<RunDefaults>,
    /// Steps that build the image.
    pub build: Vec<Step>,
    /// Checks on the build machine before the image is captured.
    pub validate: Vec<Step>,
    /// Tests on a fresh machine that booted the new image.
    pub test: Vec<Step>,
    /// How the test connects to its machine: `none`, or another login than the build. With `none`, the image is tested by
    /// its boot (console, EC2 status checks) and by `expect: {http: …}` and `expect: {port: …}` from outside. Default: like
    /// the build.
    pub test_connect: Option<TestConnect>,
    /// What is removed from the image before it is captured, and what is kept.
    pub seal: Option<Seal>,
    /// How the machine is quiesced before its disk is captured. Default: `halted`.
    pub capture: Option<CaptureChoice>,
    /// Where the image is published, and under which name.
    pub publish: Option<Publish>,
    /// What to update to the new image after it is published.
    pub deploy: Vec<Deployment>,
    /// Lists of values. The image is baked once for each combination; each variant is named `IMAGE-VALUE…`.
    #[schemars(schema_with = "matrix")]
    pub matrix: Ordered<Vec<Value>>,
    /// An expression; the image is baked only when it is true.
    #[schemars(schema_with = "super::condition")]
    pub r#if: Option<Value>,
    /// The platforms that the image is baked on. Default: all.
    pub platforms: Option<Vec<Platform>>,
}

/// Settings of all `run` and `script` steps that do not set them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct RunDefaults {
    /// The command line of the shell of `run` steps.
    pub shell: Option<String>,
    /// The user to run as.
    pub r#as: Option<String>,
    /// The working directory.
    pub working_directory: Option<String>,
}

/// Exceptions to the clean-up before an image is captured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Seal {
    /// What to keep although it is removed by default.
    pub keep: Vec<KeepChoice>,
    /// Globs of files that may contain a private key or credentials.
    pub allow: Vec<String>,
}

/// What the seal removes by default.
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

/// How the machine is quiesced before its disk is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CaptureChoice {
    /// As soon as the guest has reported that it is powered off.
    Halted,
    /// When the platform reports that the machine is stopped.
    Stopped,
    /// From the frozen file system of the running machine.
    Live,
}

/// `images`: a map. Image names are part of AMI names, tags and paths.
pub(super) fn images(generator: &mut SchemaGenerator) -> Schema {
    let image = generator.subschema_for::<Image>();
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "propertyNames": { "title": "image name", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "examples": ["web"] },
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
