//! Groups that replaced each other: their names, and which of them is in service.

use std::collections::BTreeMap;

use ami_bake_core::Result;
use aws_sdk_autoscaling::types::builders::TagBuilder;
use aws_sdk_autoscaling::types::{AutoScalingGroup, Tag};

use super::group::{self, Group};
use super::traffic::Traffic;
use crate::client::{Client, pages};

/// Tag with the group that a new one replaces; removed once it has replaced it.
pub(super) const REPLACES: &str = "ami-bake:replaces";
/// Tag with the group that replaced this one.
pub(super) const REPLACED_BY: &str = "ami-bake:replaced-by";
/// Processes that are suspended in a group that is kept: the same three as in Asgard.
pub(super) const DISABLED: [&str; 3] = ["Launch", "Terminate", "AddToLoadBalancer"];
/// Number after which numbering starts again at zero.
const NUMBERS: u32 = 1000;

/// The name without its number: `web-production-v012` belongs to `web-production`.
fn cluster(name: &str) -> &str {
    match name.rsplit_once("-v") {
        Some((cluster, digits)) if digits.len() == 3 && digits.bytes().all(|one| one.is_ascii_digit()) => cluster,
        _ => name,
    }
}

fn number(name: &str) -> Option<u32> {
    name.strip_prefix(cluster(name))?.strip_prefix("-v")?.parse().ok()
}

/// The next free name in the cluster.
pub(super) fn next_name(of: &str, taken: &[&str]) -> String {
    let cluster = cluster(of);
    let mut next = number(of).map_or(0, |number| (number + 1) % NUMBERS);
    for _ in 0..NUMBERS {
        let name = format!("{cluster}-v{next:03}");
        if !taken.contains(&name.as_str()) {
            return name;
        }
        next = (next + 1) % NUMBERS;
    }
    format!("{cluster}-v{next:03}")
}

/// A group's tags.
pub(super) fn tags_of(group: &AutoScalingGroup) -> BTreeMap<String, String> {
    let tags = group.tags().iter();
    tags.filter_map(|tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()))).collect()
}

/// True for a group that is not in service yet.
pub(super) fn is_passing(group: &AutoScalingGroup) -> bool {
    tags_of(group).contains_key(REPLACES)
}

pub(super) fn name_of(group: &AutoScalingGroup) -> &str {
    group.auto_scaling_group_name().unwrap_or_default()
}

/// All groups of the cluster.
pub(super) async fn members(client: &Client, of: &str) -> Result<Vec<AutoScalingGroup>> {
    let cluster_name = cluster(of);
    let doing = format!("list the groups of {cluster_name}");
    let doing = doing.as_str();
    let mut all = pages(|page| async move {
        let request = client.autoscaling.describe_auto_scaling_groups().max_records(100).set_next_token(page);
        let answer = client.call("DescribeAutoScalingGroups", doing, request.send()).await?;
        Ok((answer.auto_scaling_groups.unwrap_or_default(), answer.next_token))
    })
    .await?;
    all.retain(|group| cluster(name_of(group)) == cluster_name);
    all.sort_by_key(|group| number(name_of(group)));
    Ok(all)
}

/// The group in service: no other one has replaced it, and it is not being started.
///
/// # Errors
/// When there is no such group, or it can't be replaced.
pub(super) async fn at_work(client: &Client, named: &str) -> Result<Group> {
    let all = members(client, named).await?;
    let serves = |group: &&AutoScalingGroup| {
        let tags = tags_of(group);
        !tags.contains_key(REPLACES) && !tags.contains_key(REPLACED_BY) && group.status().is_none()
    };
    let Some(found) = all.iter().rfind(serves) else {
        // Returns the error: no such group, or why it can't be moved.
        return group::find(client, named).await;
    };
    Traffic::of(found)?;
    Group::new(found.clone())
}

pub(super) fn tag(group: &str, key: &str, value: &str) -> Tag {
    mark(group, key).value(value).propagate_at_launch(false).build()
}

/// A tag to delete; DeleteTags only needs its name.
pub(super) fn mark(group: &str, key: &str) -> TagBuilder {
    Tag::builder().resource_id(group).resource_type("auto-scaling-group").key(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_as_asgards_do() {
        assert_eq!(next_name("web-production", &["web-production"]), "web-production-v000");
        assert_eq!(next_name("web-v012", &["web-v011", "web-v012"]), "web-v013");
        assert_eq!(next_name("web-v999", &["web-v999", "web-v000"]), "web-v001");
        assert_eq!((cluster("web-v1"), cluster("web-v012"), number("web")), ("web-v1", "web", None));
    }
}
