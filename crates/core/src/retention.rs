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
    ///
    /// Only images of `environment` count, and those that no environment publishes. An image that [`others`] publish too
    /// is included, but may only lose the tag of `environment`.
    pub fn superfluous<'a>(
        self,
        new: &ImageRecord,
        all: &'a [ImageRecord],
        environment: Option<&str>,
        now: Timestamp,
    ) -> Vec<&'a ImageRecord> {
        if self.is_none() {
            return Vec::new();
        }
        let ours = |image: &&ImageRecord| {
            let same = image.namespace == new.namespace && image.key == new.key && image.tested.is_some();
            same && is_of(image, environment)
        };
        let (mut versions, passing): (Vec<&ImageRecord>, Vec<&ImageRecord>) =
            all.iter().filter(ours).partition(|image| image.version.pre.is_empty());
        versions.sort_by(|one, other| other.version.cmp(&one.version));
        let last = self.last.map_or(0, |last| usize::try_from(last).unwrap_or(usize::MAX));
        let mut going: Vec<&ImageRecord> = versions.into_iter().skip(last).collect();
        going.retain(|image| !self.is_young(image, now));
        going.extend(passing.into_iter().filter(|image| image.expired(now).is_some()));
        going.retain(|image| image.id != new.id);
        let (mut shared, own): (Vec<_>, Vec<_>) =
            going.into_iter().partition(|image| others(image, environment).is_some());
        shared.extend(nobodys_base(own, all));
        shared.sort_by(|one, other| other.version.cmp(&one.version));
        shared
    }

    /// Whether an image is younger than `newer_than`. An image of unknown age counts as young.
    fn is_young(self, image: &ImageRecord, now: Timestamp) -> bool {
        let Some(limit) = self.newer_than else { return false };
        let Some(made) = image.created.or(image.tested) else { return true };
        Duration::try_from(now.duration_since(made)).is_ok_and(|age| age < limit) || made > now
    }
}

/// True for images that the environment publishes, and for those of no environment.
fn is_of(image: &ImageRecord, environment: Option<&str>) -> bool {
    let mut all = tags::environments(&image.tags).peekable();
    all.peek().is_none() || all.any(|one| Some(one) == environment)
}

/// The other environments that publish the image, as a text; `None` if there are none.
pub fn others(image: &ImageRecord, environment: Option<&str>) -> Option<String> {
    let all: Vec<&str> = tags::environments(&image.tags).filter(|one| Some(*one) != environment).collect();
    match all.as_slice() {
        [] => None,
        [one] => Some(format!("environment {one}")),
        all => Some(format!("environments {}", all.join(", "))),
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
            size: None,
            tags: BTreeMap::new(),
        }
    }

    fn on(mut image: ImageRecord, base: &str) -> ImageRecord {
        image.tags.insert(tags::SOURCE.to_owned(), base.to_owned());
        image
    }

    fn going(last: Option<u32>, days: Option<u32>, new: &ImageRecord, all: &[ImageRecord]) -> Vec<String> {
        let retention = Retention { last, newer_than: days.map(|days| DAY * days) };
        retention.superfluous(new, all, None, now()).into_iter().map(|image| image.version.to_string()).collect()
    }

    #[test]
    fn environments_count_and_delete_only_their_own() {
        let of = |mut image: ImageRecord, environments: &[&str]| {
            image.tags.extend(environments.iter().map(|one| (format!("{}{one}", tags::ENVIRONMENT), String::new())));
            image
        };
        let all = [
            of(image("web", "1.0.0", 90), &["production"]),
            of(image("web", "1.1.0", 80), &["production", "staging"]),
            of(image("web", "1.2.0", 70), &["staging"]),
            image("web", "1.3.0", 60),
            of(image("web", "1.4.0", 50), &["staging"]),
            on(of(image("db", "1.0.0", 50), &["staging"]), "web-1.2.0"),
        ];
        let going = |environment: Option<&str>, new: usize| -> Vec<String> {
            let retention = Retention { last: Some(1), newer_than: None };
            let going = retention.superfluous(&all[new], &all, environment, now());
            going.into_iter().map(|image| image.version.to_string()).collect()
        };
        assert_eq!(going(Some("staging"), 4), ["1.3.0", "1.1.0"], "1.1.0 is let go; 1.2.0 is the base of db");
        assert_eq!(going(Some("production"), 3), ["1.1.0", "1.0.0"]);
        assert_eq!(going(None, 3), [""; 0], "without an environment, only images of none count");
        assert_eq!(others(&all[1], Some("staging")).as_deref(), Some("environment production"));
        assert_eq!(others(&all[1], None).as_deref(), Some("environments production, staging"));
        assert_eq!((others(&all[0], Some("production")), others(&all[3], Some("staging"))), (None, None));
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
