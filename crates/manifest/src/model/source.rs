//! The manifest's `source`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{ArchitectureChoice, Name, OneOrMany, Ordered, Platform, Sha256Text, VersionRange};

/// What an image is built from: one entry per platform, or `image`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Source {
    /// Another image of this manifest, which is baked first. With `from` or `version`: a published image.
    pub image: Option<Name>,
    /// The version range of a published image; the highest matching version is used.
    pub version: Option<VersionRange>,
    /// The namespace of a published image: the `name` of its manifest.
    pub from: Option<Name>,
    /// An Amazon Machine Image.
    pub ami: Option<AmiSource>,
    /// A Docker image reference.
    #[schemars(regex(pattern = r"^([a-zA-Z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$"), title = "Docker image reference", extend("examples" = ["ubuntu:24.04"]))]
    pub docker: Option<String>,
    /// `host` (the system of this machine, as a read-only lower layer), a root directory, or a tarball of one.
    pub local: Option<String>,
    /// A disk image with an operating system that a virtual machine can boot.
    pub vm: Option<DiskSource>,
}

/// The entry of `source` for one platform.
#[derive(Debug, Clone, Copy)]
pub enum PlatformSource<'a> {
    /// An Amazon Machine Image.
    Ami(&'a AmiSource),
    /// `host`, a root directory, or a tarball of one.
    RootFileSystem(&'a str),
    /// An image reference in the platform's own syntax.
    Reference(&'a str),
    /// A disk image.
    Disk(&'a DiskSource),
}

impl PlatformSource<'_> {
    /// The key for a platform.
    pub fn key(platform: Platform) -> &'static str {
        match platform {
            Platform::Aws => "ami",
            Platform::Local => "local",
            Platform::Docker => "docker",
            Platform::Vm => "vm",
        }
    }
}

impl Source {
    /// The entry for a platform; the error is an example of one.
    ///
    /// # Errors
    /// When the platform has no entry.
    pub fn on(&self, platform: Platform) -> Result<PlatformSource<'_>, &'static str> {
        match platform {
            Platform::Aws => self.ami.as_ref().map(PlatformSource::Ami).ok_or("`ami: {owner: …, name: …}`"),
            Platform::Local => self.local.as_deref().map(PlatformSource::RootFileSystem).ok_or("`local: host`"),
            Platform::Docker => self.docker.as_deref().map(PlatformSource::Reference).ok_or("`docker: IMAGE`"),
            Platform::Vm => self.vm.as_ref().map(PlatformSource::Disk).ok_or("`vm: {disk: FILE}`"),
        }
    }
}

/// A disk image with an operating system: qcow2 or raw, also compressed with gzip, xz or zstd.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DiskSource {
    /// The file, or its `https` URL.
    #[schemars(extend("examples" = ["disk.qcow2", "https://example.com/images/debian-12.qcow2"]))]
    pub disk: String,
    /// The SHA-256 checksum of the file as it is stored or downloaded. Required with a URL.
    pub sha256: Option<Sha256Text>,
    /// The architecture of the system on the disk. Default: the architecture of this computer.
    pub architecture: Option<ArchitectureChoice>,
}

/// An Amazon Machine Image: by ID, by owner and name (the newest match), or by SSM parameter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct AmiSource {
    /// The image ID.
    #[schemars(regex(pattern = r"^ami-[0-9a-f]{8,17}$"), title = "AMI ID", extend("examples" = ["ami-0123456789abcdef0"]))]
    pub id: Option<String>,
    /// The owners: account IDs, `amazon`, `self` or `aws-marketplace`. Required with `name`, since anyone can publish
    /// an image under any name.
    pub owner: Option<OneOrMany<Owner>>,
    /// The image name, with `*` and `?` as wildcards; the newest match is used.
    pub name: Option<String>,
    /// The architecture.
    pub architecture: Option<ArchitectureChoice>,
    /// Additional filters of the EC2 action `DescribeImages`.
    pub filters: Ordered<OneOrMany<String>>,
    /// The path of an SSM parameter that holds the image ID.
    pub parameter: Option<String>,
}

/// The owner of an AMI.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(title = "AMI owner", extend("examples" = ["099720109477", "amazon", "self"]))]
pub struct Owner(
    #[schemars(regex(pattern = r"^([0-9]{12}|amazon|self|aws-marketplace|aws-backup-vault)$"))] pub String,
);
