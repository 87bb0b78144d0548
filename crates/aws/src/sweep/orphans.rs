//! Finds resources that earlier runs left behind, by their tags.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ami_bake_core::plan::Deployment;
use ami_bake_core::platform::{ImageQuery, ImageRecord, Orphan, Orphans};
use ami_bake_core::retention::expired as expired_images;
use ami_bake_core::{Result, Run, tags};
use aws_sdk_ec2::types::Image;
use futures::future::join_all;
use jiff::Timestamp;
use semver::Version;

use super::list::{self, Tagged};
use crate::client::Client;
use crate::client::ledger::{IMAGE, INSTANCE_PROFILE, MACHINE, ROLE, SNAPSHOT};
use crate::usage::{Reports, holder, usage};
use crate::{deploy, image};

/// A region of the own account or another one that is swept.
pub(crate) struct Place {
    /// Client of this region and account.
    pub(crate) client: Arc<Client>,
    /// ARN of the role for access, if it is in another account.
    pub(crate) role: Option<String>,
    /// True when the account's roles and profiles are searched here: they have no region.
    pub(crate) global: bool,
    /// Deployments in this region and account.
    pub(crate) deployed: Vec<Deployment>,
}

/// Expired resources of all runs in all these regions. Resources of a run that has a machine are left out: however long
/// a bake takes, its machine shows that it is active.
pub(crate) async fn expired(run: &Run, places: &[Place]) -> Result<Orphans> {
    let listed = join_all(places.iter().map(|place| tagged(run, place))).await;
    if let Some(Err(error)) = listed.iter().find(|found| found.is_err()).filter(|_| listed.iter().all(Result::is_err)) {
        return Err(error.clone());
    }
    let now = run.clock().now();
    let mut found = Vec::new();
    for (place, listed) in places.iter().zip(listed) {
        match listed {
            Ok(listed) => found.push((place, listed)),
            Err(error) => run.warn(
                format!("{} was not searched: {error}", place.client.place()),
                error.help_text().map(str::to_owned),
            ),
        }
    }
    let active: BTreeSet<String> =
        found.iter().flat_map(|(_, all)| all.tagged.iter().filter_map(|one| active_run(one, now))).collect();
    let mut orphans = Orphans { found: Vec::new(), incomplete: found.len() < places.len() };
    for (place, listed) in found {
        orphans.incomplete |= !listed.complete;
        let mut here: Vec<Orphan> = listed.tagged.into_iter().filter_map(|one| orphan(one, place, now)).collect();
        orphans.incomplete |= versions(run, place, &mut here).await.is_err();
        here.retain(|one| one.run.as_ref().is_none_or(|run| !active.contains(run)));
        keep_used(&place.client, run, &mut here).await;
        orphans.found.extend(here);
    }
    Ok(orphans)
}

/// ID of the run of a machine that has not expired.
fn active_run(one: &Tagged, now: Timestamp) -> Option<String> {
    let expires: Timestamp = one.tags.get(tags::EXPIRES)?.parse().ok()?;
    (one.kind == MACHINE && expires > now).then(|| one.tags.get(tags::RUN).cloned()).flatten()
}

/// Versions that a killed deployment left. A template that can't be read is a warning.
async fn versions(run: &Run, place: &Place, orphans: &mut Vec<Orphan>) -> Result<()> {
    let mut found: Vec<Orphan> = Vec::new();
    let mut result = Ok(());
    for deployment in &place.deployed {
        match deploy::orphaned_versions(&place.client, run, deployment).await {
            Ok(all) => found.extend(all.into_iter().map(|one| Orphan {
                kind: deploy::VERSION.to_owned(),
                id: one.id,
                region: Some(place.client.region().to_owned()),
                role: place.role.clone(),
                account: place.client.account().map(str::to_owned),
                run: Some(one.run),
                expired: Some(one.expired),
                about: one.about,
            })),
            Err(error) => {
                let text = format!("the versions of {} were not searched: {error}", deployment.template);
                run.warn(text, error.help_text().map(str::to_owned));
                result = Err(error);
            }
        }
    }
    // Several images may be deployed with one template.
    found.sort_by(|one, other| one.id.cmp(&other.id));
    found.dedup_by(|one, other| one.id == other.id);
    orphans.extend(found);
    result
}

/// Resources of a region with an expiry tag.
struct Listed {
    /// The resources in order of deletion: running ones first, those that others depend on last.
    tagged: Vec<Tagged>,
    /// False when some kind could not be listed.
    complete: bool,
}

/// Lists all resources with an expiry tag. A kind that can't be listed is a warning.
///
/// # Errors
/// When the machines can't be listed, since then active runs are unknown.
async fn tagged(run: &Run, place: &Place) -> Result<Listed> {
    let client = &*place.client;
    let (machines, fleets, volumes, groups, keys, images, snapshots, profiles, roles) = tokio::join!(
        list::instances(client),
        list::fleets(client),
        list::volumes(client),
        list::groups(client),
        list::keys(client),
        list::images(client),
        list::snapshots(client),
        async { if place.global { list::profiles(client).await } else { Ok(Vec::new()) } },
        async { if place.global { list::roles(client).await } else { Ok(Vec::new()) } }
    );
    let fleets = match fleets {
        // Without the permission to list groups, and without deployments, a run can't have created any.
        Err(error) if error.is_denied() && place.deployed.is_empty() => Ok(Vec::new()),
        found => found,
    };
    let of_region = [fleets, Ok(machines?), volumes, groups, keys, images, snapshots].map(|found| (found, true));
    let mut listed = Listed { tagged: Vec::new(), complete: true };
    for (found, of_region) in of_region.into_iter().chain([(profiles, false), (roles, false)]) {
        match found {
            Ok(found) => listed.tagged.extend(found),
            Err(error) => {
                run.warn(error.to_string(), error.help_text().map(str::to_owned));
                // Without the permission to read IAM, a run can't have created anything there.
                listed.complete &= !of_region && error.is_denied();
            }
        }
    }
    Ok(listed)
}

/// Removes from `orphans` the tested pre-releases that are still needed: somebody uses them, or an image that stays was
/// built on them.
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

/// For each of these images that can't be deleted, why. Images that never passed their tests have no users.
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

/// True for a pre-release: it has an expiry although it passed its tests.
pub(super) fn is_pre_release(tags: &BTreeMap<String, String>) -> bool {
    tags.get(tags::VERSION)
        .and_then(|version| Version::parse(version).ok())
        .is_some_and(|version| !version.pre.is_empty())
}

/// The orphan for an expired resource. Tested images are no orphans, except pre-releases; their snapshots are deleted
/// with them. A tested snapshot of a final version only expires if its publication was interrupted: it is completed.
fn orphan(tagged: Tagged, place: &Place, now: Timestamp) -> Option<Orphan> {
    let client = &place.client;
    let left = expired_at(tagged, client.region(), now)?;
    Some(Orphan { role: place.role.clone(), account: client.account().map(str::to_owned), ..left })
}

/// Like [`orphan`], for the own account.
fn expired_at(tagged: Tagged, region: &str, now: Timestamp) -> Option<Orphan> {
    let expired: Timestamp = tagged.tags.get(tags::EXPIRES)?.parse().ok()?;
    let tested = tagged.tags.contains_key(tags::TESTED);
    let ends = match tagged.kind {
        IMAGE => is_pre_release(&tagged.tags),
        SNAPSHOT => !is_pre_release(&tagged.tags),
        _ => false,
    };
    if expired > now || (tested && !ends) {
        return None;
    }
    let about = about(&tagged.tags);
    let everywhere = matches!(tagged.kind, ROLE | INSTANCE_PROFILE);
    Some(Orphan {
        kind: tagged.kind.to_owned(),
        id: tagged.id,
        region: (!everywhere).then(|| region.to_owned()),
        role: None,
        account: None,
        run: tagged.tags.get(tags::RUN).cloned(),
        expired: Some(expired),
        about,
    })
}

/// Description from the tags: "web-arm64 1.2.3 of shop".
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

    fn of(kind: &'static str, tags: &[(&str, &str)]) -> Tagged {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Tagged { kind, id: "x-1".to_owned(), tags }
    }

    #[test]
    fn only_what_is_over_and_untested_is_left_over() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let orphaned = |tags: &[(&str, &str)]| expired_at(of(IMAGE, tags), "eu-west-1", now);
        assert!(orphaned(&[(tags::EXPIRES, "2026-11-20T11:59:59Z")]).is_some());
        assert_eq!(orphaned(&[(tags::EXPIRES, "2026-11-20T12:00:01Z")]), None);
        assert_eq!(orphaned(&[(tags::EXPIRES, "2026-11-20T11:00:00Z"), (tags::TESTED, "2026-11-20T10:00:00Z")]), None);
        // A pre-release has an expiry although it passed its tests; its snapshots are deleted with it.
        let passing = [
            (tags::EXPIRES, "2026-11-20T11:00:00Z"),
            (tags::TESTED, "2026-11-13T10:00:00Z"),
            (tags::VERSION, "1.3.0-pr.7.abc"),
        ];
        assert!(orphaned(&passing).is_some());
        assert_eq!(expired_at(of(SNAPSHOT, &passing), "eu-west-1", now), None);
        let cut_off = [passing[0], passing[1], (tags::VERSION, "1.3.0")];
        assert!(expired_at(of(SNAPSHOT, &cut_off), "eu-west-1", now).is_some());
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
        let left = expired_at(of(SNAPSHOT, &tags), "eu-west-1", Timestamp::MAX).unwrap();
        let older = tags.map(|(key, value)| (if key == tags::VARIANT { tags::LEGACY_VARIANT } else { key }, value));
        assert_eq!(expired_at(of(SNAPSHOT, &older), "eu-west-1", Timestamp::MAX).unwrap().about, left.about);
        assert_eq!((left.about.as_str(), left.run.as_deref()), ("web-arm64 1.2.3 of shop", Some("r-1")));
        assert_eq!(left.region.as_deref(), Some("eu-west-1"));
        let role = expired_at(of("role", &tags[..1]), "eu-west-1", Timestamp::MAX).unwrap();
        assert_eq!((role.about.as_str(), role.region), ("a bake", None));
    }
}
