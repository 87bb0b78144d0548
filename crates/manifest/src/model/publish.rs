//! Where an image goes.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use super::{AccountId, DurationText, KmsKey, Ordered, Region, RoleArn, Short, Shorthand, TokenChoice};

/// Where an image goes, and under which name.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Publish {
    /// An expression: published when it is true. Default: `!version.prerelease`.
    #[schemars(schema_with = "super::image::condition")]
    pub r#if: Option<Value>,
    /// The image's name. Default: `NAME/IMAGE[-VARIANT]/VERSION`.
    pub name: Option<String>,
    /// The image's description.
    pub description: Option<String>,
    /// Regions that get the image, beside the home region.
    pub regions: Vec<Short<RegionChoice>>,
    /// Other accounts that get an image of their own.
    pub targets: Vec<Target>,
    /// How the image comes into another region. Default: `snapshot`.
    pub copy: Option<CopyMethod>,
    /// Who may launch the image.
    pub share: Option<Share>,
    /// Tags of image and snapshots.
    #[schemars(schema_with = "tags")]
    pub tags: Ordered<String>,
    /// SSM parameters that are set to the image's id.
    pub parameters: Vec<String>,
    /// When the image is marked as deprecated.
    pub deprecate_after: Option<DurationText>,
    /// Protect the image from being deregistered.
    pub protect: Option<bool>,
    /// Whether instances of the image need a session token for metadata. Default: `required`.
    pub imds: Option<TokenChoice>,
    /// How many images are kept; what either rule keeps is kept.
    pub keep: Option<KeepRule>,
    /// Where a Docker image goes; read on the platform `docker` alone.
    pub docker: Option<DockerPublish>,
}

/// A region, with its own key where the image is encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RegionChoice {
    /// The region.
    pub region: Region,
    /// The key that encrypts the image there.
    pub kms_key: Option<KmsKey>,
}

impl Shorthand for RegionChoice {
    const KEY: &'static str = "region";
}

/// Another account that gets an image of its own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Target {
    /// The role to assume there.
    pub role: RoleArn,
    /// The regions there.
    pub regions: Vec<Short<RegionChoice>>,
}

/// How an image comes into another region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CopyMethod {
    /// Its snapshots are copied while it is tested, and registered when it passed.
    Snapshot,
    /// EC2 copies the registered image.
    Image,
}

/// Who may launch an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Share {
    /// Accounts.
    pub accounts: Vec<AccountId>,
    /// Organizations, by ARN.
    pub organizations: Vec<String>,
    /// Organizational units, by ARN.
    pub organizational_units: Vec<String>,
    /// Everyone.
    pub public: Option<bool>,
}

/// How many images are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct KeepRule {
    /// The newest so many.
    #[schemars(range(min = 1))]
    pub last: Option<u32>,
    /// All that are younger.
    pub newer_than: Option<DurationText>,
}

/// Where a Docker image goes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DockerPublish {
    /// The repository with its registry, such as `registry.example.com/shop/web`.
    #[schemars(regex(pattern = r"^([a-zA-Z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$"), title = "a repository without a tag", extend("examples" = ["registry.example.com/shop/web"]))]
    pub repository: String,
    /// The tags, such as `${{ version }}`. Default: `latest`.
    #[serde(default)]
    pub tags: Vec<ContainerTag>,
    /// Push it; `false` only tags it in the engine. Default: `true`.
    pub push: Option<bool>,
    /// Credentials; Docker's own configuration without.
    pub login: Option<DockerLogin>,
    /// The image's configuration.
    pub changes: Option<DockerChanges>,
}

/// A tag of a container image; the `+` of a version becomes `_`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(title = "a tag: letters, digits, `_`, `.` and `-`", extend("examples" = ["1.2.3", "latest"]))]
pub struct ContainerTag(#[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}$"))] pub String);

/// Credentials for a registry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DockerLogin {
    /// The user.
    pub username: String,
    /// The password, such as `${{ secrets.REGISTRY_TOKEN }}`.
    pub password: String,
}

/// The configuration of a Docker image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct DockerChanges {
    /// Labels.
    pub labels: Ordered<String>,
    /// Environment.
    pub env: Ordered<String>,
    /// Entry point.
    pub entrypoint: Vec<String>,
    /// Command.
    pub cmd: Vec<String>,
    /// Ports that are exposed.
    pub expose: Vec<String>,
    /// User.
    pub user: Option<String>,
    /// Working directory.
    pub workdir: Option<String>,
}

/// Tags; `ami-bake:` and `aws:` are taken.
fn tags(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": { "title": "free for your own tags: `aws:` and `ami-bake:` are reserved", "pattern": "^(?!aws:|ami-bake:).{1,128}$", "examples": ["team"] },
        "additionalProperties": { "type": "string", "maxLength": 256 },
    })
}
