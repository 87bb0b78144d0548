//! What earlier runs left behind, by its tags.

use std::collections::BTreeMap;
use std::future::Future;

use ami_bake_core::ledger::{Entry, IMAGE, MACHINE};
use ami_bake_core::platform::{ImageQuery, ImageRecord, Orphan, Undo};
use ami_bake_core::retention::expired as expired_images;
use ami_bake_core::{Error, Result, Run, tags};
use aws_sdk_ec2::types::{Filter, Image, Reservation, Tag};
use jiff::Timestamp;
use semver::Version;

use crate::capture::SNAPSHOT;
use crate::client::Client;
use crate::deploy;
use crate::image;
use crate::machine;
use crate::platform::{Inner, PLATFORM};
use crate::source::tags_of;
use crate::usage::{Reports, holder, usage};

/// Volumes that no machine has any more; they are no ledger entries, for they go with their machine.
const VOLUME: &str = "volume";
/// Where all roles and instance profiles of ami-bake are.
const PATH: &str = "/ami-bake/";

/// Something that carries an end in its tags.
struct Found {
    kind: &'static str,
    id: String,
    tags: BTreeMap<String, String>,
}

/// What expired by its tags, of every run: what is at work first, what others are made of last.
pub(crate) async fn expired(aws: &Inner, run: &Run) -> Result<Vec<Orphan>> {
    let client = &aws.client;
    let (machines, fleets, volumes, groups, keys, images, snapshots, profiles, roles) = tokio::join!(
        instances(client),
        fleets(aws),
        volumes(client),
        groups(client),
        keys(client),
        images(client),
        snapshots(client),
        profiles(client),
        roles(client)
    );
    let all = [fleets, machines, volumes, groups, keys, images, snapshots, profiles, roles];
    if let Some(Err(error)) = all.iter().find(|found| found.is_err()).filter(|_| all.iter().all(Result::is_err)) {
        return Err(error.clone());
    }
    let now = run.clock().now();
    let mut leftovers = Vec::new();
    for found in all {
        match found {
            Ok(found) => leftovers.extend(found.into_iter().filter_map(|one| leftover(one, client.region(), now))),
            // Who may not look into IAM made nothing there either; the rest is swept all the same.
            Err(error) => run.warn(format!("could not {error}"), error.help_text().map(str::to_owned)),
        }
    }
    keep_used(aws, run, &mut leftovers).await;
    Ok(leftovers)
}

/// Takes the pre-releases out that passed their tests and are needed all the same: somebody uses them, or an image that
/// stays was built on them.
async fn keep_used(aws: &Inner, run: &Run, leftovers: &mut Vec<Orphan>) {
    let candidates: Vec<String> = leftovers.iter().filter(|one| one.kind == IMAGE).map(|one| one.id.clone()).collect();
    let held = match holders(aws, run, &candidates).await {
        Ok(held) => held,
        Err(error) => {
            run.warn(format!("no image is taken: {error}"), error.help_text().map(str::to_owned));
            return leftovers.retain(|one| one.kind != IMAGE);
        }
    };
    leftovers.retain(|one| match held.get(&one.id) {
        Some(why) if one.kind == IMAGE => {
            run.warn(format!("the image {} of {} is over, but stays: {why}", one.id, one.about), None);
            false
        }
        _ => true,
    });
}

/// Why which of these images can't go. What never passed its tests has no users.
async fn holders(aws: &Inner, run: &Run, ids: &[String]) -> Result<BTreeMap<String, String>> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let all = image::ours(aws, run, &ImageQuery::default()).await?;
    let tested: Vec<&Image> = all
        .iter()
        .filter(|(image, record)| ids.contains(&record.id) && image::is_tested(image))
        .map(|(image, _)| image)
        .collect();
    if tested.is_empty() {
        return Ok(BTreeMap::new());
    }
    let used = usage(aws, run, &tested, Reports::Ask).await;
    let records: Vec<ImageRecord> = all.iter().map(|(_, record)| record.clone()).collect();
    let free: Vec<&str> = expired_images(&records, run.clock().now()).iter().map(|image| image.id.as_str()).collect();
    let why = |image: &Image| {
        let id = image.image_id()?;
        let base =
            || (!free.contains(&id)).then(|| "another image was built on it, or its end has not come".to_owned());
        Some((id.to_owned(), holder(image, used.get(id)).or_else(base)?))
    };
    Ok(tested.into_iter().filter_map(why).collect())
}

/// Deletes one leftover.
pub(crate) async fn remove(aws: &Inner, run: &Run, leftover: &Orphan) -> Result<Undo> {
    let id = leftover.id.as_str();
    match leftover.kind.as_str() {
        IMAGE => {
            // It may have passed its tests or been put to use since it was listed.
            let doing = format!("look at the image {id}");
            let found = image::describe(&aws.client, "self", vec![image::filter("image-id", id)], &doing).await?;
            if found.iter().any(|image| image::is_tested(image) && !passes(&tags_of(image))) {
                return Err(Error::preflight(format!("delete the image {id}: it is tagged as tested")).help(
                    "Sweep takes untested images and pre-releases alone. Deregister it by hand if nobody needs it.",
                ));
            }
            if let Some(why) = holders(aws, run, std::slice::from_ref(&leftover.id)).await?.remove(id) {
                return Ok(Undo::Later(why));
            }
            image::delete(aws, run, id).await.map(|()| Undo::Done)
        }
        SNAPSHOT => image::delete_snapshot(aws, id).await,
        VOLUME => delete_volume(aws, id).await,
        kind => {
            let entry = Entry {
                number: 0,
                run: leftover.run.clone().unwrap_or_default(),
                image: None,
                platform: PLATFORM.to_owned(),
                kind: kind.to_owned(),
                region: leftover.region.clone(),
                role: None,
                find_by: id.to_owned(),
                id: Some(id.to_owned()),
            };
            match kind {
                deploy::GROUP => deploy::undo(aws, run, &entry).await,
                _ => machine::undo(aws, run, &entry).await,
            }
        }
    }
}

async fn delete_volume(aws: &Inner, id: &str) -> Result<Undo> {
    let request = aws.client.ec2.delete_volume().volume_id(id);
    match aws.client.ask("DeleteVolume", request.send()).await {
        Ok(_) => Ok(Undo::Done),
        Err(failure) if failure.not_found() => Ok(Undo::Done),
        Err(failure) if failure.is(&["VolumeInUse"]) => Ok(Undo::Later("a machine still has it".to_owned())),
        Err(failure) => Err(aws.client.explain(*failure, &format!("delete the volume {id}")).await),
    }
}

/// True for what only a pre-release is: it has an end although it passed its tests.
fn passes(tags: &BTreeMap<String, String>) -> bool {
    tags.get(tags::VERSION)
        .and_then(|version| Version::parse(version).ok())
        .is_some_and(|version| !version.pre.is_empty())
}

/// What is left over of something that carries an end, when that is over. What was tested is nobody's left-over, but for
/// pre-releases; their snapshots go with them.
fn leftover(found: Found, region: &str, now: Timestamp) -> Option<Orphan> {
    let expired: Timestamp = found.tags.get(tags::EXPIRES)?.parse().ok()?;
    let tested = found.tags.contains_key(tags::TESTED);
    if expired > now || (tested && !(found.kind == IMAGE && passes(&found.tags))) {
        return None;
    }
    let about = about(&found.tags);
    let everywhere = matches!(found.kind, "role" | "instance-profile");
    Some(Orphan {
        kind: found.kind.to_owned(),
        id: found.id,
        region: (!everywhere).then(|| region.to_owned()),
        run: found.tags.get(tags::RUN).cloned(),
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

fn expiring() -> Filter {
    Filter::builder().name("tag-key").values(tags::EXPIRES).build()
}

fn one_of(name: &str, values: &[&str]) -> Filter {
    Filter::builder().name(name).set_values(Some(values.iter().map(ToString::to_string).collect())).build()
}

fn found(kind: &'static str, id: Option<&str>, tags: &[Tag]) -> Option<Found> {
    let tags = tags.iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned())));
    Some(Found { kind, id: id?.to_owned(), tags: tags.collect() })
}

/// Every page: `ask` gives one page and the mark of the next.
async fn pages<F>(mut ask: impl FnMut(Option<String>) -> F) -> Result<Vec<Found>>
where
    F: Future<Output = Result<(Vec<Found>, Option<String>)>>,
{
    let (mut all, mut page) = (Vec::new(), None);
    loop {
        let (found, next) = ask(page).await?;
        all.extend(found);
        page = next.filter(|mark| !mark.is_empty());
        if page.is_none() {
            return Ok(all);
        }
    }
}

/// Groups that were replaced, and those that never took over.
async fn fleets(aws: &Inner) -> Result<Vec<Found>> {
    let all = deploy::expired(aws).await?;
    Ok(all.into_iter().map(|(id, tags)| Found { kind: deploy::GROUP, id, tags }).collect())
}

async fn instances(client: &Client) -> Result<Vec<Found>> {
    // The states in which there is something to end; a terminated one is listed for an hour.
    let alive = ["pending", "running", "stopping", "stopped"];
    let filters = vec![expiring(), one_of("instance-state-name", &alive)];
    pages(|page| {
        let filters = filters.clone();
        async move {
            let request = client.ec2.describe_instances().set_filters(Some(filters)).set_next_token(page);
            let answer = client.call("DescribeInstances", "list expired machines", request.send()).await?;
            let all = answer.reservations().iter().flat_map(Reservation::instances);
            let all = all.filter_map(|one| found(MACHINE, one.instance_id(), one.tags())).collect();
            Ok((all, answer.next_token))
        }
    })
    .await
}

async fn volumes(client: &Client) -> Result<Vec<Found>> {
    let filters = vec![expiring(), one_of("status", &["available", "error"])];
    pages(|page| {
        let filters = filters.clone();
        async move {
            let request = client.ec2.describe_volumes().set_filters(Some(filters)).set_next_token(page);
            let answer = client.call("DescribeVolumes", "list expired volumes", request.send()).await?;
            let all = answer.volumes().iter().filter_map(|one| found(VOLUME, one.volume_id(), one.tags())).collect();
            Ok((all, answer.next_token))
        }
    })
    .await
}

async fn groups(client: &Client) -> Result<Vec<Found>> {
    pages(|page| async move {
        let request = client.ec2.describe_security_groups().filters(expiring()).set_next_token(page);
        let answer = client.call("DescribeSecurityGroups", "list expired security groups", request.send()).await?;
        let all = answer.security_groups().iter();
        let all = all.filter_map(|one| found("security-group", one.group_id(), one.tags())).collect();
        Ok((all, answer.next_token))
    })
    .await
}

async fn keys(client: &Client) -> Result<Vec<Found>> {
    let request = client.ec2.describe_key_pairs().filters(expiring());
    let answer = client.call("DescribeKeyPairs", "list expired key pairs", request.send()).await?;
    Ok(answer.key_pairs().iter().filter_map(|one| found("key-pair", one.key_pair_id(), one.tags())).collect())
}

async fn images(client: &Client) -> Result<Vec<Found>> {
    let all = image::describe(client, "self", vec![expiring()], "list expired images").await?;
    Ok(all.iter().filter_map(|one| found(IMAGE, one.image_id(), one.tags())).collect())
}

async fn snapshots(client: &Client) -> Result<Vec<Found>> {
    pages(|page| async move {
        let request = client.ec2.describe_snapshots().owner_ids("self").filters(expiring()).set_next_token(page);
        let answer = client.call("DescribeSnapshots", "list expired snapshots", request.send()).await?;
        let all = answer.snapshots().iter().filter_map(|one| found(SNAPSHOT, one.snapshot_id(), one.tags())).collect();
        Ok((all, answer.next_token))
    })
    .await
}

fn iam_found(kind: &'static str, name: &str, tags: &[aws_sdk_iam::types::Tag]) -> Found {
    let tags = tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
    Found { kind, id: name.to_owned(), tags }
}

// IAM's lists leave tags out, so that each of our few is asked for by name.

async fn profiles(client: &Client) -> Result<Vec<Found>> {
    pages(|page| async move {
        let request = client.iam.list_instance_profiles().path_prefix(PATH).set_marker(page);
        let answer = client.call("ListInstanceProfiles", "list the instance profiles of bakes", request.send()).await?;
        let mut all = Vec::new();
        for profile in answer.instance_profiles() {
            let name = profile.instance_profile_name();
            let request = client.iam.get_instance_profile().instance_profile_name(name);
            match client.ask("GetInstanceProfile", request.send()).await {
                Ok(answer) => {
                    all.extend(answer.instance_profile().map(|one| iam_found("instance-profile", name, one.tags())));
                }
                Err(failure) if failure.not_found() => {}
                Err(failure) => {
                    return Err(client.explain(*failure, &format!("look at the instance profile {name}")).await);
                }
            }
        }
        Ok((all, answer.marker))
    })
    .await
}

async fn roles(client: &Client) -> Result<Vec<Found>> {
    pages(|page| async move {
        let request = client.iam.list_roles().path_prefix(PATH).set_marker(page);
        let answer = client.call("ListRoles", "list the roles of bakes", request.send()).await?;
        let mut all = Vec::new();
        for role in answer.roles() {
            let name = role.role_name();
            match client.ask("GetRole", client.iam.get_role().role_name(name).send()).await {
                Ok(answer) => all.extend(answer.role().map(|one| iam_found("role", name, one.tags()))),
                Err(failure) if failure.not_found() => {}
                Err(failure) => return Err(client.explain(*failure, &format!("look at the role {name}")).await),
            }
        }
        Ok((all, answer.marker))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &'static str, tags: &[(&str, &str)]) -> Found {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Found { kind, id: "x-1".to_owned(), tags }
    }

    #[test]
    fn only_what_is_over_and_untested_is_left_over() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let judged = |tags: &[(&str, &str)]| leftover(of(IMAGE, tags), "eu-west-1", now);
        assert!(judged(&[(tags::EXPIRES, "2026-11-20T11:59:59Z")]).is_some());
        assert_eq!(judged(&[(tags::EXPIRES, "2026-11-20T12:00:01Z")]), None);
        assert_eq!(judged(&[(tags::EXPIRES, "2026-11-20T11:00:00Z"), (tags::TESTED, "2026-11-20T10:00:00Z")]), None);
        // A pre-release has an end although it passed its tests; its snapshots go with it.
        let passing = [
            (tags::EXPIRES, "2026-11-20T11:00:00Z"),
            (tags::TESTED, "2026-11-13T10:00:00Z"),
            (tags::VERSION, "1.3.0-pr.7.abc"),
        ];
        assert!(judged(&passing).is_some());
        assert_eq!(leftover(of(SNAPSHOT, &passing), "eu-west-1", now), None);
        // A tag that nobody can read proves no end; neither does a missing one.
        assert_eq!(judged(&[(tags::EXPIRES, "soon")]), None);
        assert_eq!(judged(&[]), None);
    }

    #[test]
    fn a_leftover_says_what_it_was_for() {
        let tags = [
            (tags::EXPIRES, "2026-11-20T11:00:00Z"),
            (tags::IMAGE, "web"),
            (tags::VARIANT, "arm64"),
            (tags::VERSION, "1.2.3"),
            (tags::NAME, "shop"),
            (tags::RUN, "r-1"),
        ];
        let left = leftover(of(SNAPSHOT, &tags), "eu-west-1", Timestamp::MAX).unwrap();
        let older = tags.map(|(key, value)| (if key == tags::VARIANT { tags::LEGACY_VARIANT } else { key }, value));
        assert_eq!(leftover(of(SNAPSHOT, &older), "eu-west-1", Timestamp::MAX).unwrap().about, left.about);
        assert_eq!((left.about.as_str(), left.run.as_deref()), ("web-arm64 1.2.3 of shop", Some("r-1")));
        assert_eq!(left.region.as_deref(), Some("eu-west-1"));
        let role = leftover(of("role", &tags[..1]), "eu-west-1", Timestamp::MAX).unwrap();
        assert_eq!((role.about.as_str(), role.region), ("a bake", None));
    }
}
