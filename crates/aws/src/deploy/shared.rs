//! What the deployments of a run share: one poller over refreshes, one over groups.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::clock::Clock;
use ami_bake_core::poll::{Answer, Poller};
use aws_sdk_autoscaling::types::{AutoScalingGroup, InstanceRefresh};
use futures::future::try_join_all;

use crate::client::Client;

/// A batch takes minutes (research: latency); Auto Scaling publishes no rates.
const INTERVAL: Duration = Duration::from_secs(3);
/// The pause while a wait has only begun.
const EAGER: Duration = Duration::from_millis(300);
/// How long that is.
const FRESH: Duration = Duration::from_secs(6);
/// Names in one question (Auto Scaling API, DescribeAutoScalingGroups).
const BATCH: usize = 50;

/// Pollers over what deployments wait for.
pub(crate) struct Shared {
    /// Refreshes, by [`key`].
    pub(super) refreshes: Poller<InstanceRefresh>,
    /// Groups, by name.
    pub(super) groups: Poller<AutoScalingGroup>,
}

impl Shared {
    /// Pollers that ask nothing yet.
    pub(crate) fn new(client: &Arc<Client>, clock: &Arc<dyn Clock>) -> Self {
        let (one, other) = (Arc::clone(client), Arc::clone(client));
        let eager = (EAGER, FRESH);
        Self {
            refreshes: Poller::eager(
                Arc::clone(clock),
                eager,
                INTERVAL,
                Box::new(move |keys| {
                    let client = Arc::clone(&one);
                    Box::pin(async move { refreshes(&client, keys).await })
                }),
            ),
            groups: Poller::eager(
                Arc::clone(clock),
                eager,
                INTERVAL,
                Box::new(move |names| {
                    let client = Arc::clone(&other);
                    Box::pin(async move { groups(&client, names).await })
                }),
            ),
        }
    }
}

/// A refresh is asked for by its group and id; the id holds no slash, the group's name may.
pub(super) fn key(group: &str, id: &str) -> String {
    format!("{group}/{id}")
}

async fn refreshes(client: &Client, keys: Vec<String>) -> Answer<InstanceRefresh> {
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

async fn groups(client: &Client, names: Vec<String>) -> Answer<AutoScalingGroup> {
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
