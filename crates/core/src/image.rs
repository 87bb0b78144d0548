//! Images that ami-bake created, as platforms list them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::plan::{Architecture, BakedQuery, Digest, ImageKey, ImagePlan, SourceImage};
use crate::{tags, version};

/// An image that ami-bake created, as the platform lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// ID of the image on the platform.
    pub id: String,
    /// Name of the image.
    pub name: String,
    /// Region of the image, if the platform has regions.
    pub region: Option<String>,
    /// Account of the image, if it is not the platform's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The namespace.
    pub namespace: String,
    /// Image and variant.
    pub key: ImageKey,
    /// Version of the image.
    pub version: semver::Version,
    /// Digest of the image.
    pub digest: Digest,
    /// Time when the tests passed; `None` for a candidate.
    pub tested: Option<Timestamp>,
    /// Time of creation.
    pub created: Option<Timestamp>,
    /// True when the image can be launched now.
    pub available: bool,
    /// Architecture of the image.
    pub architecture: Option<Architecture>,
    /// Parts that the image consists of: snapshots on AWS, layers locally.
    pub parts: Vec<String>,
    /// Its size in bytes, where the platform says it: of an AMI that of its volumes, of a container image that of its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// All tags of the image.
    pub tags: BTreeMap<String, String>,
}

impl ImageRecord {
    /// True if nobody logged in to the machine that tested the image (`test-connect: none`).
    pub fn tested_without_login(&self) -> bool {
        self.tags.get(tags::TEST_CONNECT).is_some_and(|how| how == "none")
    }

    /// The image that a plan would create: without an ID.
    pub fn planned(plan: &ImagePlan, now: Timestamp) -> Self {
        Self {
            id: String::new(),
            name: plan.settings.name.clone(),
            region: None,
            account: None,
            namespace: plan.namespace.clone(),
            key: plan.key.clone(),
            version: plan.version.clone(),
            digest: plan.digest.clone(),
            tested: Some(now),
            created: Some(now),
            available: true,
            architecture: plan.source.architecture,
            parts: Vec::new(),
            size: None,
            tags: BTreeMap::from([(tags::SOURCE.to_owned(), plan.source.id.clone())]),
        }
    }

    /// The time at which the image expired, from its tag; `None` while it has not. Final versions that passed their
    /// tests do not expire.
    pub fn expired(&self, now: Timestamp) -> Option<Timestamp> {
        let passes = self.tested.is_none() || !self.version.pre.is_empty();
        let end: Timestamp = self.tags.get(tags::EXPIRES).filter(|_| passes)?.parse().ok()?;
        (end <= now).then_some(end)
    }

    /// Whether the image satisfies a query: tested, and in the query's version range.
    pub fn satisfies(&self, query: &BakedQuery) -> bool {
        self.tested.is_some()
            && self.namespace == query.namespace
            && self.key == query.key
            && version::in_range(&self.version, query.version.as_ref())
    }

    /// The image as a source image for further images and test machines.
    pub fn as_source(&self) -> SourceImage {
        SourceImage {
            id: self.id.clone(),
            name: self.name.clone(),
            owner: "self".to_owned(),
            created: self.created,
            tags: self.tags.clone(),
            architecture: self.architecture,
            identity: self.id.clone(),
            version: Some(self.version.clone()),
        }
    }
}

/// Users of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Usage {
    /// Users of the image, each in a few words: `instance i-…`, `launch template lt-…`. Empty: nobody uses it.
    By(Vec<String>),
    /// The users could not be determined, for this reason; the image counts as used.
    Unknown(String),
}

/// A published image with its users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The image.
    pub image: ImageRecord,
    /// Users of the image; `None` if the platform can't report them.
    pub usage: Option<Usage>,
}

/// A version that the plan's retention does not keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Superseded {
    /// The image.
    pub image: ImageRecord,
    /// Why the version is kept all the same, for messages: its users, or its protection.
    pub held: Option<String>,
}
