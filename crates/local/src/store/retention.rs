//! Which images may go.

use std::collections::BTreeSet;

use ami_bake_core::platform::ImageRecord;
use jiff::{SignedDuration, Timestamp};

/// What of an image's versions stays: the union of both rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// So many of the highest versions.
    pub last: Option<usize>,
    /// Everything that is younger.
    pub newer_than: Option<SignedDuration>,
}

impl Retention {
    /// The images that may go, of all versions of one image and leg. Candidates and versions of pull requests have an
    /// end of their own; they neither count nor go. Without a rule everything stays.
    pub fn superfluous<'a>(&self, images: &'a [ImageRecord], now: Timestamp) -> Vec<&'a ImageRecord> {
        if self.last.is_none() && self.newer_than.is_none() {
            return Vec::new();
        }
        let mut released: Vec<&ImageRecord> =
            images.iter().filter(|image| image.tested.is_some() && image.version.pre.is_empty()).collect();
        released.sort_by(|one, other| other.version.cmp(&one.version));
        let highest: BTreeSet<&str> =
            released.iter().take(self.last.unwrap_or_default()).map(|image| image.id.as_str()).collect();
        let is_young = |image: &ImageRecord| {
            let age = image.created.map(|created| now.duration_since(created));
            matches!((self.newer_than, age), (Some(limit), Some(age)) if age < limit)
        };
        released.retain(|image| !highest.contains(image.id.as_str()) && !is_young(image));
        released
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ami_bake_core::plan::{Digest, ImageKey};

    use super::*;

    fn image(version: &str, days: i64, now: Timestamp) -> ImageRecord {
        ImageRecord {
            id: version.to_owned(),
            name: version.to_owned(),
            region: None,
            namespace: "shop".to_owned(),
            key: ImageKey::new("web"),
            version: version.parse().unwrap(),
            digest: Digest::from_text("sha256:0"),
            tested: Some(now),
            created: Some(now - SignedDuration::from_hours(24 * days)),
            available: true,
            architecture: None,
            parts: Vec::new(),
            tags: BTreeMap::new(),
        }
    }

    #[test]
    fn the_union_of_both_rules_stays() {
        let now = Timestamp::now();
        let mut images = vec![
            image("1.0.0", 90, now),
            image("1.10.0", 50, now),
            image("1.9.0", 60, now),
            image("1.2.0", 3, now),
            image("2.0.0-pr.1.abc", 80, now),
        ];
        let ids = |retention: Retention, images: &[ImageRecord]| -> Vec<String> {
            retention.superfluous(images, now).into_iter().map(|image| image.id.clone()).collect()
        };
        let month = Some(SignedDuration::from_hours(24 * 30));
        assert_eq!(ids(Retention { last: Some(1), newer_than: month }, &images), ["1.9.0", "1.0.0"]);
        assert_eq!(ids(Retention { last: Some(3), newer_than: None }, &images), ["1.0.0"]);
        assert!(ids(Retention { last: None, newer_than: None }, &images).is_empty());
        images[0].tested = None;
        assert!(ids(Retention { last: Some(3), newer_than: None }, &images).is_empty());
    }
}
