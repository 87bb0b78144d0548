//! Selects the versions of an image that may be deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::image::ImageRecord;
use crate::plan::Retention;
use crate::tags;

impl Retention {
    /// The images that may be deleted once `new` is registered, highest version first. `all` is every image of the
    /// account or machine, of other names too: one that a kept image was built on stays. Candidates and versions of
    /// pull requests and branches have their own expiry and do not count; of the latter, expired ones are included.
    pub fn superfluous<'a>(self, new: &ImageRecord, all: &'a [ImageRecord], now: Timestamp) -> Vec<&'a ImageRecord> {
        if self.is_none() {
            return Vec::new();
        }
        let ours =
            |image: &&ImageRecord| image.namespace == new.namespace && image.key == new.key && image.tested.is_some();
        let (mut versions, passing): (Vec<&ImageRecord>, Vec<&ImageRecord>) =
            all.iter().filter(ours).partition(|image| image.version.pre.is_empty());
        versions.sort_by(|one, other| other.version.cmp(&one.version));
        let last = self.last.map_or(0, |last| usize::try_from(last).unwrap_or(usize::MAX));
        let mut going: Vec<&ImageRecord> = versions.into_iter().skip(last).collect();
        going.retain(|image| !self.is_young(image, now));
        going.extend(passing.into_iter().filter(|image| image.expired(now).is_some()));
        going.retain(|image| image.id != new.id);
        nobodys_base(going, all)
    }

    /// Whether an image is younger than `newer_than`. An image of unknown age counts as young.
    fn is_young(self, image: &ImageRecord, now: Timestamp) -> bool {
        let Some(limit) = self.newer_than else { return false };
        let Some(made) = image.created.or(image.tested) else { return true };
        Duration::try_from(now.duration_since(made)).is_ok_and(|age| age < limit) || made > now
    }
}

/// The expired images: those that never passed their tests, and pre-releases that did. An image that a kept one was
/// built on is left out.
pub fn expired(all: &[ImageRecord], now: Timestamp) -> Vec<&ImageRecord> {
    nobodys_base(all.iter().filter(|image| image.expired(now).is_some()).collect(), all)
}

/// The images in `going` that no remaining image was built on.
fn nobodys_base<'a>(mut going: Vec<&'a ImageRecord>, all: &[ImageRecord]) -> Vec<&'a ImageRecord> {
    loop {
        let leaves: BTreeSet<&str> = going.iter().map(|image| image.id.as_str()).collect();
        let bases: BTreeSet<&str> = all
            .iter()
            .filter(|image| !leaves.contains(image.id.as_str()))
            .filter_map(|image| image.tags.get(tags::SOURCE).map(String::as_str))
            .collect();
        let before = going.len();
        going.retain(|image| !bases.contains(image.id.as_str()));
        if going.len() == before {
            return going;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::plan::{Digest, ImageKey};

    const DAY: Duration = Duration::from_hours(24);

    fn now() -> Timestamp {
        "2026-11-20T00:00:00Z".parse().unwrap()
    }

    fn image(key: &str, version: &str, days: u32) -> ImageRecord {
        let created = now().checked_sub(DAY * days).unwrap();
        ImageRecord {
            id: format!("{key}-{version}"),
            name: version.to_owned(),
            region: None,
            account: None,
            namespace: "shop".to_owned(),
            key: ImageKey::new(key),
            version: version.parse().unwrap(),
            digest: Digest::from_text("sha256:0"),
            tested: Some(created),
            created: Some(created),
            available: true,
            architecture: None,
            parts: Vec::new(),
            tags: BTreeMap::new(),
        }
    }

    fn on(mut image: ImageRecord, base: &str) -> ImageRecord {
        image.tags.insert(tags::SOURCE.to_owned(), base.to_owned());
        image
    }

    fn going(last: Option<u32>, days: Option<u32>, new: &ImageRecord, all: &[ImageRecord]) -> Vec<String> {
        let retention = Retention { last, newer_than: days.map(|days| DAY * days) };
        retention.superfluous(new, all, now()).into_iter().map(|image| image.version.to_string()).collect()
    }

    #[test]
    fn what_either_rule_keeps_is_kept() {
        let mut all = vec![
            image("web", "1.0.0", 90),
            image("web", "1.10.0", 50),
            image("web", "1.9.0", 60),
            image("web", "1.2.0", 3),
            image("web", "2.0.0-pr.1.abc", 80),
            image("db", "0.1.0", 99),
        ];
        let new = all[1].clone();
        assert_eq!(going(Some(1), Some(30), &new, &all), ["1.9.0", "1.0.0"]);
        assert_eq!(going(Some(3), None, &new, &all), ["1.0.0"]);
        assert_eq!(going(None, Some(70), &new, &all), ["1.0.0"]);
        assert!(going(None, None, &new, &all).is_empty());
        all[0].tested = None;
        assert!(going(Some(3), None, &new, &all).is_empty(), "a candidate doesn't count");
    }

    #[test]
    fn the_new_image_stays_whatever_its_version() {
        let all = [image("web", "3.0.0", 9), image("web", "2.0.0", 8), image("web", "1.0.1", 0)];
        assert_eq!(going(Some(1), None, &all[2], &all), ["2.0.0"]);
    }

    #[test]
    fn what_a_kept_image_was_built_on_stays_and_so_does_what_that_was_built_on() {
        let all = [
            image("base", "1.0.0", 9),
            on(image("base", "2.0.0", 8), "base-1.0.0"),
            image("base", "3.0.0", 7),
            image("base", "4.0.0", 0),
            on(image("web", "1.0.0", 5), "base-2.0.0"),
        ];
        assert_eq!(going(Some(1), None, &all[3], &all), ["3.0.0"]);
        assert_eq!(going(Some(1), None, &all[3], &all[..4]), ["3.0.0", "2.0.0", "1.0.0"], "nobody stands on them");
    }

    fn ending(mut image: ImageRecord, at: &str) -> ImageRecord {
        image.tags.insert(tags::EXPIRES.to_owned(), at.to_owned());
        image
    }

    #[test]
    fn a_pre_release_whose_end_has_come_goes_and_nothing_final_does() {
        let over = "2026-11-19T00:00:00Z";
        let all = [
            image("web", "1.0.0", 9),
            ending(image("web", "1.1.0-pr.7.abc", 9), over),
            ending(image("web", "1.1.0-pr.8.abc", 9), over),
            ending(image("web", "1.1.0-pr.9.abc", 1), "2026-11-27T00:00:00Z"),
            // A release that somebody tagged with an expiry is still a release.
            ending(image("web", "0.9.0", 9), over),
            on(image("shop", "1.0.0", 1), "web-1.1.0-pr.8.abc"),
        ];
        assert_eq!(going(Some(5), None, &all[0], &all), ["1.1.0-pr.7.abc"]);
        let swept: Vec<&str> = expired(&all, now()).iter().map(|image| image.id.as_str()).collect();
        assert_eq!(swept, ["web-1.1.0-pr.7.abc"]);
        let mut untested = all[4].clone();
        untested.tested = None;
        assert_eq!(expired(&[untested], now()).len(), 1, "what never passed its tests is not final");
    }
}
