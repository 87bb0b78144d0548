//! The manifest's `publish`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use super::{
    AccountId, DataFile, DurationText, JsonPointer, KmsKey, OneOrMany, Ordered, Region, RoleArn, Short, Shorthand,
    TokenChoice, VariableName,
};

/// Where an image is published, and under which name.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Publish {
    /// An expression; the image is published only when it is true. Default: `!version.prerelease`.
    #[schemars(schema_with = "super::condition")]
    pub r#if: Option<Value>,
    /// The name of the image. Default: `NAME/IMAGE[-VARIANT]/VERSION`.
    pub name: Option<String>,
    /// The description of the image.
    pub description: Option<String>,
    /// Regions to publish the image to, in addition to the home region.
    pub regions: Vec<Short<RegionChoice>>,
    /// Other accounts that get their own copy of the image.
    pub targets: Vec<Target>,
    /// How the image is copied to other regions. Default: `snapshot`.
    pub copy: Option<CopyMethod>,
    /// Who may launch the image. Default: only the account.
    pub share: Option<Share>,
    /// Tags of the image and its snapshots.
    #[schemars(schema_with = "tags")]
    pub tags: Ordered<String>,
    /// SSM parameters to set to the image's ID.
    pub parameters: Vec<String>,
    /// Where to write the ID of a published image, in a GitHub workflow: values in files of the repository, and variables of
    /// the repository.
    pub write: OneOrMany<WriteTarget>,
    /// How long after its publication the image is deprecated.
    pub deprecate_after: Option<DurationText>,
    /// Turn on deregistration protection.
    pub protect: Option<bool>,
    /// Whether instances of the image require IMDSv2. Default: `required`.
    pub imds: Option<TokenChoice>,
    /// Which images to keep; an image is kept if either rule keeps it. Default: all.
    pub keep: Option<KeepRule>,
    /// Where to publish a Docker image. Only used on the `docker` platform.
    pub docker: Option<DockerPublish>,
}

/// A place that holds the ID of the newest image: `file` and `pointer`, or `variable`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct WriteTarget {
    /// A file, relative to the root of the repository: JSON, YAML, TOML or HCL. Its format and comments stay.
    pub file: Option<DataFile>,
    /// The value in the file, as a JSON pointer: `/ami_id`. In HCL, blocks and their labels are parts of it:
    /// `/variable/ami/default`. The value must exist.
    pub pointer: Option<JsonPointer>,
    /// How the file is changed. Default: `pull-request`.
    pub r#as: Option<WriteChoice>,
    /// The branch that is changed, or that the pull request is for. Default: the default branch.
    #[schemars(length(min = 1))]
    pub branch: Option<String>,
    /// A variable of the repository. It needs a token of an app or a person: `GITHUB_TOKEN` can't write variables.
    pub variable: Option<VariableName>,
    /// The region whose image is meant. Default: the home region.
    pub region: Option<Region>,
}

/// How a file of the repository is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WriteChoice {
    /// A pull request, which the next image updates while it is open.
    PullRequest,
    /// A commit on the branch.
    Commit,
}

/// A region, with its own KMS key if the image is encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RegionChoice {
    /// The region.
    pub region: Region,
    /// The KMS key that encrypts the image in this region.
    pub kms_key: Option<KmsKey>,
}

impl Shorthand for RegionChoice {
    const KEY: &'static str = "region";
}

/// Another account that gets its own copy of the image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Target {
    /// The IAM role to assume in that account.
    pub role: RoleArn,
    /// The regions in that account.
    pub regions: Vec<Short<RegionChoice>>,
}

/// How an image is copied to other regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CopyMethod {
    /// Copy its snapshots while it is tested, and register the image when its tests have passed.
    Snapshot,
    /// Copy the registered image.
    Image,
}

/// Who may launch an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Share {
    /// Account IDs.
    pub accounts: Vec<AccountId>,
    /// ARNs of organizations.
    pub organizations: Vec<String>,
    /// ARNs of organizational units.
    pub organizational_units: Vec<String>,
    /// Share with everyone.
    pub public: Option<bool>,
}

/// Which images to keep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct KeepRule {
    /// Keep the newest N.
    #[schemars(range(min = 1))]
    pub last: Option<u32>,
    /// Keep all that are newer than this.
    pub newer_than: Option<DurationText>,
}

/// Where to publish a Docker image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DockerPublish {
    /// The repository including its registry, such as `registry.example.com/shop/web`.
    #[schemars(regex(pattern = r"^([a-zA-Z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$"), title = "repository name", extend("examples" = ["registry.example.com/shop/web"]))]
    pub repository: String,
    /// The tags, such as `${{ version }}`. Default: `latest`.
    #[serde(default)]
    pub tags: Vec<ContainerTag>,
    /// Whether to push the image; `false` only tags it locally. Default: `true`.
    pub push: Option<bool>,
    /// Credentials for the registry. Default: from Docker's configuration.
    pub login: Option<DockerLogin>,
    /// Changes to the image's configuration.
    pub changes: Option<DockerChanges>,
}

/// A tag of a container image. The `+` of a version becomes `_`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(title = "image tag", extend("examples" = ["1.2.3", "latest"]))]
pub struct ContainerTag(#[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}$"))] pub String);

/// Credentials for a registry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DockerLogin {
    /// The user name.
    pub username: String,
    /// The password, such as `${{ secrets.REGISTRY_TOKEN }}`.
    pub password: String,
}

/// Changes to the configuration of a Docker image, like the instructions of a Dockerfile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct DockerChanges {
    /// Labels (`LABEL`).
    pub labels: Ordered<String>,
    /// Environment variables (`ENV`).
    pub env: Ordered<String>,
    /// The entrypoint (`ENTRYPOINT`).
    pub entrypoint: Vec<String>,
    /// The default command (`CMD`).
    pub cmd: Vec<String>,
    /// Exposed ports (`EXPOSE`).
    pub expose: Vec<String>,
    /// The user (`USER`).
    pub user: Option<String>,
    /// The working directory (`WORKDIR`).
    pub workdir: Option<String>,
}

/// Tags. The prefixes `ami-bake:` and `aws:` are reserved.
pub(super) fn tags(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": { "title": "tag key (`aws:` and `ami-bake:` are reserved)", "pattern": "^(?!aws:|ami-bake:).{1,128}$", "examples": ["team"] },
        "additionalProperties": { "type": "string", "maxLength": 256 },
    })
}

/// Tags of things that each have a name of their own.
pub(super) fn shared_tags(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": { "title": "tag key (`Name`, `aws:` and `ami-bake:` are reserved)", "pattern": "^(?!aws:|ami-bake:|Name$).{1,128}$", "examples": ["team"] },
        "additionalProperties": { "type": "string", "maxLength": 256 },
    })
}
