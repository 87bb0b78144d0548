//! Load balancers and target groups of a group.

use ami_bake_core::{Error, Result};
use aws_sdk_autoscaling::types::AutoScalingGroup;

use crate::client::Client;

/// Maximum number of target groups and load balancers per call (Auto Scaling API, AttachLoadBalancerTargetGroups,
/// AttachLoadBalancers).
const BATCH: usize = 10;

/// Load balancers and target groups that send traffic to a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    pub(super) target_groups: Vec<String>,
    pub(super) load_balancers: Vec<String>,
}

impl Traffic {
    /// Reads a group's traffic sources.
    ///
    /// # Errors
    /// When the group has a source of another kind, which can't be moved to a second group.
    pub(super) fn of(group: &AutoScalingGroup) -> Result<Self> {
        let name = group.auto_scaling_group_name().unwrap_or_default();
        let other =
            group.traffic_sources().iter().find(|source| !matches!(source.r#type(), None | Some("elb" | "elbv2")));
        if let Some(other) = other {
            let kind = other.r#type().unwrap_or_default();
            return Err(Error::preflight(format!("{name} receives traffic from {} ({kind})", other.identifier().unwrap_or_default()))
                .help("`strategy: replace` only supports target groups and load balancers. `strategy: refresh` moves no traffic."));
        }
        Ok(Self {
            target_groups: group.target_group_arns().to_vec(),
            load_balancers: group.load_balancer_names().to_vec(),
        })
    }

    /// True when the group has no load balancer.
    pub(super) fn is_none(&self) -> bool {
        self.target_groups.is_empty() && self.load_balancers.is_empty()
    }

    /// The sources for messages: "2 target groups and 1 load balancer".
    pub(super) fn in_words(&self) -> String {
        let count = |many: usize, what: &str| match many {
            0 => None,
            1 => Some(format!("1 {what}")),
            many => Some(format!("{many} {what}s")),
        };
        let parts =
            [count(self.target_groups.len(), "target group"), count(self.load_balancers.len(), "load balancer")];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }
}

/// Sends traffic to the machines of a group.
pub(super) async fn attach(client: &Client, group: &str, traffic: &Traffic) -> Result<()> {
    let doing = format!("attach {group} to its load balancers");
    for arns in traffic.target_groups.chunks(BATCH) {
        let request = client.autoscaling.attach_load_balancer_target_groups().auto_scaling_group_name(group);
        let request = request.set_target_group_arns(Some(arns.to_vec()));
        client.call("AttachLoadBalancerTargetGroups", &doing, request.send()).await?;
    }
    for names in traffic.load_balancers.chunks(BATCH) {
        let request = client.autoscaling.attach_load_balancers().auto_scaling_group_name(group);
        let request = request.set_load_balancer_names(Some(names.to_vec()));
        client.call("AttachLoadBalancers", &doing, request.send()).await?;
    }
    Ok(())
}

/// Stops sending traffic to the machines of a group.
pub(super) async fn detach(client: &Client, group: &str, traffic: &Traffic) -> Result<()> {
    let doing = format!("detach {group} from its load balancers");
    for arns in traffic.target_groups.chunks(BATCH) {
        let request = client.autoscaling.detach_load_balancer_target_groups().auto_scaling_group_name(group);
        let request = request.set_target_group_arns(Some(arns.to_vec()));
        client.call("DetachLoadBalancerTargetGroups", &doing, request.send()).await?;
    }
    for names in traffic.load_balancers.chunks(BATCH) {
        let request = client.autoscaling.detach_load_balancers().auto_scaling_group_name(group);
        let request = request.set_load_balancer_names(Some(names.to_vec()));
        client.call("DetachLoadBalancers", &doing, request.send()).await?;
    }
    Ok(())
}

/// True when every load balancer sends traffic to the group. One whose health checks are used (`ELB`) reports that only
/// once a machine has passed (Auto Scaling API, LoadBalancerTargetGroupState).
pub(super) async fn flows(client: &Client, group: &str, traffic: &Traffic, elb_health_checks: bool) -> Result<bool> {
    let doing = format!("watch the load balancers of {group}");
    let good = |state: Option<&str>| state == Some("InService") || (!elb_health_checks && state == Some("Added"));
    if !traffic.target_groups.is_empty() {
        let request = client.autoscaling.describe_load_balancer_target_groups().auto_scaling_group_name(group);
        let answer = client.call("DescribeLoadBalancerTargetGroups", &doing, request.max_records(100).send()).await?;
        let all = answer.load_balancer_target_groups();
        if all.len() < traffic.target_groups.len() || !all.iter().all(|one| good(one.state())) {
            return Ok(false);
        }
    }
    if !traffic.load_balancers.is_empty() {
        let request = client.autoscaling.describe_load_balancers().auto_scaling_group_name(group);
        let answer = client.call("DescribeLoadBalancers", &doing, request.max_records(100).send()).await?;
        let all = answer.load_balancers();
        if all.len() < traffic.load_balancers.len() || !all.iter().all(|one| good(one.state())) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use aws_sdk_autoscaling::types::TrafficSourceIdentifier;

    use super::*;

    #[test]
    fn what_can_not_be_moved_is_refused() {
        let lattice = TrafficSourceIdentifier::builder().identifier("arn:lattice").r#type("vpc-lattice").build();
        let group = AutoScalingGroup::builder().auto_scaling_group_name("web").target_group_arns("arn:1");
        let traffic = Traffic::of(&group.clone().build()).unwrap();
        assert_eq!(traffic.in_words(), "1 target group");
        let error = Traffic::of(&group.traffic_sources(lattice).build()).unwrap_err();
        assert!(error.message().contains("arn:lattice (vpc-lattice)"), "{error}");
    }
}
