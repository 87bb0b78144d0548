//! Where an image comes from.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{ArchitectureChoice, Name, OneOrMany, Ordered, VersionRange};

/// Where an image comes from: one entry for each platform, or `image`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Source {
    /// An image of this manifest, which is baked first, or with `from` one that was published before.
    pub image: Option<Name>,
    /// The versions that will do, for an image that was published before; the highest is taken.
    pub version: Option<VersionRange>,
    /// The namespace that the image was published under: the `name` of its manifest.
    pub from: Option<Name>,
    /// An Amazon Machine Image.
    pub ami: Option<AmiSource>,
    /// A reference of a Docker image.
    #[schemars(regex(pattern = r"^([a-zA-Z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$"), title = "a reference of an image", extend("examples" = ["ubuntu:24.04"]))]
    pub docker: Option<String>,
    /// `host` (this machine's own system, read-only below), a root directory, or a tarball of one.
    pub local: Option<String>,
}

/// An Amazon Machine Image: by id, by owner and name (the newest), or by an SSM parameter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct AmiSource {
    /// The image's id.
    #[schemars(regex(pattern = r"^ami-[0-9a-f]{8,17}$"), title = "the id of an AMI", extend("examples" = ["ami-0123456789abcdef0"]))]
    pub id: Option<String>,
    /// Who owns it: account ids, `amazon`, `self` or `aws-marketplace`. Required with a name, since anyone can publish any name.
    pub owner: Option<OneOrMany<Owner>>,
    /// Its name, with `*` and `?`; the newest that fits is taken.
    pub name: Option<String>,
    /// Its architecture.
    pub architecture: Option<ArchitectureChoice>,
    /// Further filters of EC2's `DescribeImages`.
    pub filters: Ordered<OneOrMany<String>>,
    /// The path of an SSM parameter that holds its id.
    pub parameter: Option<String>,
}

/// The owner of an image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(title = "an owner of images", extend("examples" = ["099720109477", "amazon", "self"]))]
pub struct Owner(
    #[schemars(regex(pattern = r"^([0-9]{12}|amazon|self|aws-marketplace|aws-backup-vault)$"))] pub String,
);
