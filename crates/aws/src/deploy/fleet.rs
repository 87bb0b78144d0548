//! Pollers for the Auto Scaling groups and instance refreshes of one region and account.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::poll::{PollAnswer, Poller};
use aws_sdk_autoscaling::types::{AutoScalingGroup, InstanceRefresh};
use futures::future::try_join_all;

use crate::client::{Client, Timing, poller};

/// Pause between two requests: a batch of replacements takes minutes, and Auto Scaling publishes no rate limits.
const INTERVAL: Duration = Duration::from_secs(3);
/// A shorter pause, and how long after the begin of a wait it applies.
const EAGER: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(6));
/// Maximum number of names per request (Auto Scaling API, DescribeAutoScalingGroups).
const BATCH: usize = 50;

/// The groups of one region and account.
pub(crate) struct Fleet {
    /// The client of the region and account.
    pub(crate) client: Arc<Client>,
    /// Refreshes, by [`key`].
    pub(super) refreshes: Poller<InstanceRefresh>,
    /// Groups, by name.
    pub(super) groups: Poller<AutoScalingGroup>,
}

impl Fleet {
    /// Creates the pollers; makes no request.
    pub(crate) fn new(client: Arc<Client>) -> Self {
        let timing = Timing { interval: INTERVAL, eager: Some(EAGER) };
        Self { refreshes: poller(&client, timing, refreshes), groups: poller(&client, timing, groups), client }
    }
}

/// The key of a refresh: its group and ID. The ID contains no slash, but the group's name may.
pub(super) fn key(group: &str, id: &str) -> String {
    format!("{group}/{id}")
}

async fn refreshes(client: Arc<Client>, keys: Vec<String>) -> PollAnswer<InstanceRefresh> {
    let asked = keys.iter().filter_map(|key| key.rsplit_once('/')).map(async |(group, id)| {
        let request =
            client.autoscaling.describe_instance_refreshes().auto_scaling_group_name(group).instance_refresh_ids(id);
        let doing = format!("watch the instance refresh of {group}");
        let answer = client.call("DescribeInstanceRefreshes", &doing, request.send()).await?;
        Ok::<_, ami_bake_core::Error>(
            answer.instance_refreshes.unwrap_or_default().pop().map(|one| (key(group, id), one)),
        )
    });
    Ok(try_join_all(asked).await?.into_iter().flatten().collect())
}

async fn groups(client: Arc<Client>, names: Vec<String>) -> PollAnswer<AutoScalingGroup> {
    let mut found = HashMap::new();
    for names in names.chunks(BATCH) {
        let request =
            client.autoscaling.describe_auto_scaling_groups().set_auto_scaling_group_names(Some(names.to_vec()));
        let answer = client.call("DescribeAutoScalingGroups", "watch the groups", request.send()).await?;
        let all = answer.auto_scaling_groups.unwrap_or_default().into_iter();
        found.extend(all.filter_map(|group| Some((group.auto_scaling_group_name()?.to_owned(), group))));
    }
    Ok(found)
}
