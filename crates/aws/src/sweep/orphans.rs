//! What earlier runs left behind, by its tags.

use std::collections::BTreeMap;

use ami_bake_core::platform::{ImageQuery, ImageRecord, Orphan};
use ami_bake_core::retention::expired as expired_images;
use ami_bake_core::{Result, Run, tags};
use aws_sdk_ec2::types::Image;
use jiff::Timestamp;
use semver::Version;

use super::list::{self, Tagged};
use crate::client::Client;
use crate::client::ledger::{IMAGE, INSTANCE_PROFILE, ROLE};
use crate::image;
use crate::usage::{Reports, holder, usage};

/// What expired by its tags, of every run: what is at work first, what others are made of last.
pub(crate) async fn expired(client: &Client, run: &Run) -> Result<Vec<Orphan>> {
    let (machines, fleets, volumes, groups, keys, images, snapshots, profiles, roles) = tokio::join!(
        list::instances(client),
        list::fleets(client),
        list::volumes(client),
        list::groups(client),
        list::keys(client),
        list::images(client),
        list::snapshots(client),
        list::profiles(client),
        list::roles(client)
    );
    let all = [fleets, machines, volumes, groups, keys, images, snapshots, profiles, roles];
    if let Some(Err(error)) = all.iter().find(|found| found.is_err()).filter(|_| all.iter().all(Result::is_err)) {
        return Err(error.clone());
    }
    let now = run.clock().now();
    let mut orphans = Vec::new();
    for found in all {
        match found {
            Ok(found) => orphans.extend(found.into_iter().filter_map(|one| orphan(one, client.region(), now))),
            // Who may not look into IAM made nothing there either; the rest is swept all the same.
            Err(error) => run.warn(format!("could not {error}"), error.help_text().map(str::to_owned)),
        }
    }
    keep_used(client, run, &mut orphans).await;
    Ok(orphans)
}

/// Takes the pre-releases out that passed their tests and are needed all the same: somebody uses them, or an image that
/// stays was built on them.
async fn keep_used(client: &Client, run: &Run, orphans: &mut Vec<Orphan>) {
    let candidates: Vec<String> = orphans.iter().filter(|one| one.kind == IMAGE).map(|one| one.id.clone()).collect();
    let held = match holders(client, run, &candidates).await {
        Ok(held) => held,
        Err(error) => {
            run.warn(format!("no image is deleted: {error}"), error.help_text().map(str::to_owned));
            return orphans.retain(|one| one.kind != IMAGE);
        }
    };
    orphans.retain(|one| match held.get(&one.id) {
        Some(why) if one.kind == IMAGE => {
            run.warn(format!("the image {} of {} has expired but is kept: {why}", one.id, one.about), None);
            false
        }
        _ => true,
    });
}

/// Why which of these images can't go. What never passed its tests has no users.
pub(super) async fn holders(client: &Client, run: &Run, ids: &[String]) -> Result<BTreeMap<String, String>> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let all = image::ours(client, run, &ImageQuery::default()).await?;
    let tested: Vec<&Image> = all
        .iter()
        .filter(|(image, record)| ids.contains(&record.id) && image::is_tested(image))
        .map(|(image, _)| image)
        .collect();
    if tested.is_empty() {
        return Ok(BTreeMap::new());
    }
    let used = usage(client, run, &tested, Reports::Ask).await;
    let records: Vec<ImageRecord> = all.iter().map(|(_, record)| record.clone()).collect();
    let free: Vec<&str> = expired_images(&records, run.clock().now()).iter().map(|image| image.id.as_str()).collect();
    let why = |image: &Image| {
        let id = image.image_id()?;
        let base = || (!free.contains(&id)).then(|| "another image was built on it, or it has not expired".to_owned());
        Some((id.to_owned(), holder(image, used.get(id)).or_else(base)?))
    };
    Ok(tested.into_iter().filter_map(why).collect())
}

/// True for what only a pre-release is: it has an end although it passed its tests.
pub(super) fn is_pre_release(tags: &BTreeMap<String, String>) -> bool {
    tags.get(tags::VERSION)
        .and_then(|version| Version::parse(version).ok())
        .is_some_and(|version| !version.pre.is_empty())
}

/// What is left over of something that carries an end, when that is over. What was tested is nobody's left-over, but
/// for pre-releases; their snapshots go with them.
fn orphan(tagged: Tagged, region: &str, now: Timestamp) -> Option<Orphan> {
    let expired: Timestamp = tagged.tags.get(tags::EXPIRES)?.parse().ok()?;
    let tested = tagged.tags.contains_key(tags::TESTED);
    if expired > now || (tested && !(tagged.kind == IMAGE && is_pre_release(&tagged.tags))) {
        return None;
    }
    let about = about(&tagged.tags);
    let everywhere = matches!(tagged.kind, ROLE | INSTANCE_PROFILE);
    Some(Orphan {
        kind: tagged.kind.to_owned(),
        id: tagged.id,
        region: (!everywhere).then(|| region.to_owned()),
        run: tagged.tags.get(tags::RUN).cloned(),
        expired: Some(expired),
        about,
    })
}

/// "web-arm64 1.2.3 of shop", as far as the tags say so.
fn about(tags: &BTreeMap<String, String>) -> String {
    let Some(image) = tags.get(tags::IMAGE) else {
        return tags.get("Name").cloned().unwrap_or_else(|| "a bake".to_owned());
    };
    let mut text = image.clone();
    if let Some(variant) = tags::variant(tags) {
        text = format!("{text}-{variant}");
    }
    if let Some(version) = tags.get(tags::VERSION) {
        text = format!("{text} {version}");
    }
    if let Some(namespace) = tags.get(tags::NAME) {
        text = format!("{text} of {namespace}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ledger::SNAPSHOT;

    fn of(kind: &'static str, tags: &[(&str, &str)]) -> Tagged {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Tagged { kind, id: "x-1".to_owned(), tags }
    }

    #[test]
    fn only_what_is_over_and_untested_is_left_over() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let orphaned = |tags: &[(&str, &str)]| orphan(of(IMAGE, tags), "eu-west-1", now);
        assert!(orphaned(&[(tags::EXPIRES, "2026-11-20T11:59:59Z")]).is_some());
        assert_eq!(orphaned(&[(tags::EXPIRES, "2026-11-20T12:00:01Z")]), None);
        assert_eq!(orphaned(&[(tags::EXPIRES, "2026-11-20T11:00:00Z"), (tags::TESTED, "2026-11-20T10:00:00Z")]), None);
        // A pre-release has an end although it passed its tests; its snapshots go with it.
        let passing = [
            (tags::EXPIRES, "2026-11-20T11:00:00Z"),
            (tags::TESTED, "2026-11-13T10:00:00Z"),
            (tags::VERSION, "1.3.0-pr.7.abc"),
        ];
        assert!(orphaned(&passing).is_some());
        assert_eq!(orphan(of(SNAPSHOT, &passing), "eu-west-1", now), None);
        // An invalid expiry tag does not count as expired; neither does a missing one.
        assert_eq!(orphaned(&[(tags::EXPIRES, "soon")]), None);
        assert_eq!(orphaned(&[]), None);
    }

    #[test]
    fn an_orphan_says_what_it_was_for() {
        let tags = [
            (tags::EXPIRES, "2026-11-20T11:00:00Z"),
            (tags::IMAGE, "web"),
            (tags::VARIANT, "arm64"),
            (tags::VERSION, "1.2.3"),
            (tags::NAME, "shop"),
            (tags::RUN, "r-1"),
        ];
        let left = orphan(of(SNAPSHOT, &tags), "eu-west-1", Timestamp::MAX).unwrap();
        let older = tags.map(|(key, value)| (if key == tags::VARIANT { tags::LEGACY_VARIANT } else { key }, value));
        assert_eq!(orphan(of(SNAPSHOT, &older), "eu-west-1", Timestamp::MAX).unwrap().about, left.about);
        assert_eq!((left.about.as_str(), left.run.as_deref()), ("web-arm64 1.2.3 of shop", Some("r-1")));
        assert_eq!(left.region.as_deref(), Some("eu-west-1"));
        let role = orphan(of("role", &tags[..1]), "eu-west-1", Timestamp::MAX).unwrap();
        assert_eq!((role.about.as_str(), role.region), ("a bake", None));
    }
}
