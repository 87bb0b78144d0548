//! Where an image comes from.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::plan::{Architecture, ImageKey};

/// A source as the manifest requests it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceQuery {
    /// One image of the platform by its id.
    Id(String),
    /// The newest image whose owner and name fit.
    Newest {
        /// Owners' ids or aliases; never empty.
        owners: Vec<String>,
        /// Name with `*` and `?`.
        name: String,
        /// Architecture.
        architecture: Option<Architecture>,
        /// Further filters of the platform.
        filters: BTreeMap<String, Vec<String>>,
    },
    /// The image that a parameter (AWS: SSM path) names.
    Parameter(String),
    /// A reference in the platform's own words: a Docker reference, `host`, a path of a root file system.
    Reference(String),
    /// An image that ami-bake made: of this manifest, or published before.
    Baked(BakedQuery),
}

/// A baked image as source: the highest semantic version that fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BakedQuery {
    /// The namespace that it was baked under; this manifest's own by default.
    pub namespace: String,
    /// The image and variant.
    pub key: ImageKey,
    /// The version range; any release without.
    pub version: Option<semver::VersionReq>,
    /// True when the image is of this manifest, so that it is baked first.
    pub sibling: bool,
}

/// The source image that was found, with what a bake records of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceImage {
    /// The platform's id.
    pub id: String,
    /// Name of the image.
    pub name: String,
    /// Owner's account or name.
    pub owner: String,
    /// Time of creation.
    pub created: Option<Timestamp>,
    /// Its tags, as far as this account sees them.
    pub tags: BTreeMap<String, String>,
    /// Architecture of the image.
    pub architecture: Option<Architecture>,
    /// What identifies its content in the digest: an AMI's id, a Docker config digest.
    pub identity: String,
    /// Its version, where ami-bake made it.
    pub version: Option<semver::Version>,
}
