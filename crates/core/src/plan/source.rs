//! Source images: how a manifest selects them, and what a bake records about them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::plan::{Architecture, ImageKey};

/// A source as the manifest requests it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceQuery {
    /// The image with this ID on the platform.
    Id(String),
    /// The newest image whose owner and name match.
    Newest {
        /// IDs or aliases of the owners; never empty.
        owners: Vec<String>,
        /// Name pattern with `*` and `?`.
        name: String,
        /// Architecture.
        architecture: Option<Architecture>,
        /// Additional filters of the platform.
        filters: BTreeMap<String, Vec<String>>,
    },
    /// The image that a parameter names (AWS: SSM path).
    Parameter(String),
    /// A reference in the platform's own syntax: a Docker reference, `host`, or a path of a root file system.
    Reference(String),
    /// A disk image.
    Disk(DiskQuery),
    /// An image that ami-bake created: of this manifest, or published before.
    Baked(BakedQuery),
}

/// A disk image in a file or on a web server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskQuery {
    /// Path of the file, or its `https` URL.
    pub location: String,
    /// SHA-256 checksum of the file as it is stored or downloaded: 64 lower-case hexadecimal digits.
    pub sha256: Option<String>,
    /// Architecture of the system on the disk. Default: this computer's.
    pub architecture: Option<Architecture>,
}

/// Query for a baked image: the highest semantic version that matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BakedQuery {
    /// The namespace that the image was baked under. Default: this manifest's own.
    pub namespace: String,
    /// The image and variant.
    pub key: ImageKey,
    /// The version range. Default: any release.
    pub version: Option<semver::VersionReq>,
    /// True when the image belongs to this manifest, so that it is baked first.
    pub sibling: bool,
}

/// The source image that was found, with the facts that a bake records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceImage {
    /// ID of the image on the platform.
    pub id: String,
    /// Name of the image.
    pub name: String,
    /// Owner's account or name.
    pub owner: String,
    /// Time of creation.
    pub created: Option<Timestamp>,
    /// Tags of the image, as far as this account can read them.
    pub tags: BTreeMap<String, String>,
    /// Architecture of the image.
    pub architecture: Option<Architecture>,
    /// Identifies the image's content in the digest: an AMI's ID, a Docker config digest.
    pub identity: String,
    /// Version of the image, if ami-bake created it.
    pub version: Option<semver::Version>,
}
