//! Images that ami-bake made, as platforms list them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::plan::{Architecture, BakedQuery, Digest, ImageKey, ImagePlan, SourceImage};
use crate::{tags, version};

/// An image that ami-bake made, as the platform lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// The platform's id.
    pub id: String,
    /// Name of the image.
    pub name: String,
    /// Its region, where the platform has regions.
    pub region: Option<String>,
    /// The account that has it, where that is another than the platform's own.
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
    /// Time when its tests passed; none for a candidate.
    pub tested: Option<Timestamp>,
    /// Time of creation.
    pub created: Option<Timestamp>,
    /// True when it can be launched now.
    pub available: bool,
    /// Architecture of the image.
    pub architecture: Option<Architecture>,
    /// What it consists of: snapshots on AWS, layers locally.
    pub parts: Vec<String>,
    /// All tags of the image.
    pub tags: BTreeMap<String, String>,
}

impl ImageRecord {
    /// The image that a plan makes, before it is there: without an id.
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
            tags: BTreeMap::from([(tags::SOURCE.to_owned(), plan.source.id.clone())]),
        }
    }

    /// Since when its end has come, by its tag. A final version that passed its tests has none.
    pub fn expired(&self, now: Timestamp) -> Option<Timestamp> {
        let passes = self.tested.is_none() || !self.version.pre.is_empty();
        let end: Timestamp = self.tags.get(tags::EXPIRES).filter(|_| passes)?.parse().ok()?;
        (end <= now).then_some(end)
    }

    /// Whether the image can be the source that a query asks for: tested, and in the query's version range.
    pub fn satisfies(&self, query: &BakedQuery) -> bool {
        self.tested.is_some()
            && self.namespace == query.namespace
            && self.key == query.key
            && version::in_range(&self.version, query.version.as_ref())
    }

    /// The image as a source of further images and of test machines.
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
    /// These, each in a few words: `instance i-…`, `launch template lt-…`. Nobody when it is empty.
    By(Vec<String>),
    /// It could not be learnt, and why: so the image counts as used.
    Unknown(String),
}

/// An image where it is published, with who uses it there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The image.
    pub image: ImageRecord,
    /// Users of the image; none if the platform cannot tell.
    pub usage: Option<Usage>,
}

/// A version that the plan's retention keeps no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Superseded {
    /// The image.
    pub image: ImageRecord,
    /// Why it is kept, in words: who uses it, or what protects it.
    pub held: Option<String>,
}
