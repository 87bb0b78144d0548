//! Lists the resources of a region that have an expiry tag, kind by kind.

use std::collections::BTreeMap;

use ami_bake_core::{Result, tags};
use aws_sdk_ec2::types::{Filter, Reservation, Tag};

use crate::client::ledger::{IAM_PATH, IMAGE, INSTANCE_PROFILE, KEY_PAIR, MACHINE, ROLE, SECURITY_GROUP, SNAPSHOT};
use crate::client::{Client, filter, one_of, pages};
use crate::{deploy, image};

/// Kind of volumes without a machine; they have no ledger entries, since they are deleted with their machine.
pub(super) const VOLUME: &str = "volume";

/// A resource with an expiry tag.
pub(super) struct Tagged {
    pub(super) kind: &'static str,
    pub(super) id: String,
    pub(super) tags: BTreeMap<String, String>,
}

fn expiring() -> Filter {
    filter("tag-key", tags::EXPIRES)
}

fn found(kind: &'static str, id: Option<&str>, tags: &[Tag]) -> Option<Tagged> {
    let tags = tags.iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned())));
    Some(Tagged { kind, id: id?.to_owned(), tags: tags.collect() })
}

/// Groups that were replaced, and those that never replaced the old one.
pub(super) async fn fleets(client: &Client) -> Result<Vec<Tagged>> {
    let all = deploy::expired(client).await?;
    Ok(all.into_iter().map(|(id, tags)| Tagged { kind: deploy::GROUP, id, tags }).collect())
}

pub(super) async fn instances(client: &Client) -> Result<Vec<Tagged>> {
    // The states in which there is something to terminate; a terminated machine is listed for an hour.
    let alive = ["pending", "running", "stopping", "stopped"];
    let filters = vec![expiring(), one_of("instance-state-name", alive)];
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

pub(super) async fn volumes(client: &Client) -> Result<Vec<Tagged>> {
    let filters = vec![expiring(), one_of("status", ["available", "error"])];
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

pub(super) async fn groups(client: &Client) -> Result<Vec<Tagged>> {
    pages(|page| async move {
        let request = client.ec2.describe_security_groups().filters(expiring()).set_next_token(page);
        let answer = client.call("DescribeSecurityGroups", "list expired security groups", request.send()).await?;
        let all = answer.security_groups().iter();
        let all = all.filter_map(|one| found(SECURITY_GROUP, one.group_id(), one.tags())).collect();
        Ok((all, answer.next_token))
    })
    .await
}

pub(super) async fn keys(client: &Client) -> Result<Vec<Tagged>> {
    let request = client.ec2.describe_key_pairs().filters(expiring());
    let answer = client.call("DescribeKeyPairs", "list expired key pairs", request.send()).await?;
    Ok(answer.key_pairs().iter().filter_map(|one| found(KEY_PAIR, one.key_pair_id(), one.tags())).collect())
}

pub(super) async fn images(client: &Client) -> Result<Vec<Tagged>> {
    let all = image::describe(client, "self", vec![expiring()], "list expired images").await?;
    Ok(all.iter().filter_map(|one| found(IMAGE, one.image_id(), one.tags())).collect())
}

pub(super) async fn snapshots(client: &Client) -> Result<Vec<Tagged>> {
    pages(|page| async move {
        let request = client.ec2.describe_snapshots().owner_ids("self").filters(expiring()).set_next_token(page);
        let answer = client.call("DescribeSnapshots", "list expired snapshots", request.send()).await?;
        let all = answer.snapshots().iter().filter_map(|one| found(SNAPSHOT, one.snapshot_id(), one.tags())).collect();
        Ok((all, answer.next_token))
    })
    .await
}

fn iam_found(kind: &'static str, name: &str, tags: &[aws_sdk_iam::types::Tag]) -> Tagged {
    let tags = tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
    Tagged { kind, id: name.to_owned(), tags }
}

// IAM's lists do not include tags, so each of our few is fetched by name.

pub(super) async fn profiles(client: &Client) -> Result<Vec<Tagged>> {
    pages(|page| async move {
        let request = client.iam.list_instance_profiles().path_prefix(IAM_PATH).set_marker(page);
        let answer = client.call("ListInstanceProfiles", "list the instance profiles of bakes", request.send()).await?;
        let mut all = Vec::new();
        for profile in answer.instance_profiles() {
            let name = profile.instance_profile_name();
            let request = client.iam.get_instance_profile().instance_profile_name(name);
            match client.ask("GetInstanceProfile", request.send()).await {
                Ok(answer) => {
                    all.extend(answer.instance_profile().map(|one| iam_found(INSTANCE_PROFILE, name, one.tags())));
                }
                Err(failure) if failure.not_found() => {}
                Err(failure) => {
                    return Err(client.explain(*failure, &format!("look up the instance profile {name}")).await);
                }
            }
        }
        Ok((all, answer.marker))
    })
    .await
}

pub(super) async fn roles(client: &Client) -> Result<Vec<Tagged>> {
    pages(|page| async move {
        let request = client.iam.list_roles().path_prefix(IAM_PATH).set_marker(page);
        let answer = client.call("ListRoles", "list the roles of bakes", request.send()).await?;
        let mut all = Vec::new();
        for role in answer.roles() {
            let name = role.role_name();
            match client.ask("GetRole", client.iam.get_role().role_name(name).send()).await {
                Ok(answer) => all.extend(answer.role().map(|one| iam_found(ROLE, name, one.tags()))),
                Err(failure) if failure.not_found() => {}
                Err(failure) => return Err(client.explain(*failure, &format!("look up the role {name}")).await),
            }
        }
        Ok((all, answer.marker))
    })
    .await
}
