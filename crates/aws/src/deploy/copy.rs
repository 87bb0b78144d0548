//! Creates a second group like the first, except for its name, machines, traffic and template version.

use ami_bake_core::{Result, Run};
use aws_sdk_autoscaling::types::{
    AutoScalingGroup, DesiredConfiguration, LifecycleHook, LifecycleHookSpecification, ScalingPolicy,
    ScheduledUpdateGroupAction, ScheduledUpdateGroupActionRequest, Tag,
};
use aws_smithy_types::DateTime;

use crate::client::{Client, Failure, pages};

/// Maximum number of scheduled actions per call (Auto Scaling API, BatchPutScheduledUpdateGroupAction).
const ACTIONS: usize = 50;

/// Creates the group without machines and without traffic.
///
/// # Errors
/// The call's failure.
pub(super) async fn create(
    client: &Client,
    old: &AutoScalingGroup,
    name: &str,
    desired: DesiredConfiguration,
    tags: Vec<Tag>,
) -> Result<(), Box<Failure>> {
    let hooks = match hooks(client, old).await {
        Ok(hooks) => hooks,
        Err(failure) => return Err(failure),
    };
    // Zones follow from subnets, and EC2 accepts only one of the two.
    let in_subnets = old.vpc_zone_identifier().is_some_and(|subnets| !subnets.is_empty());
    let zones = old.availability_zones.clone().filter(|_| !in_subnets);
    let request = client
        .autoscaling
        .create_auto_scaling_group()
        .auto_scaling_group_name(name)
        .set_launch_template(desired.launch_template)
        .set_mixed_instances_policy(desired.mixed_instances_policy)
        .min_size(0)
        .max_size(0)
        .desired_capacity(0)
        .set_availability_zones(zones)
        .set_vpc_zone_identifier(old.vpc_zone_identifier.clone().filter(|_| in_subnets))
        .set_default_cooldown(old.default_cooldown)
        .set_health_check_type(old.health_check_type.clone())
        .set_health_check_grace_period(old.health_check_grace_period)
        .set_placement_group(old.placement_group.clone().filter(|name| !name.is_empty()))
        .set_termination_policies(old.termination_policies.clone())
        .set_new_instances_protected_from_scale_in(old.new_instances_protected_from_scale_in)
        .set_capacity_rebalance(old.capacity_rebalance)
        .set_service_linked_role_arn(old.service_linked_role_arn.clone())
        .set_max_instance_lifetime(old.max_instance_lifetime)
        .set_context(old.context.clone())
        .set_desired_capacity_type(old.desired_capacity_type.clone())
        .set_default_instance_warmup(old.default_instance_warmup)
        .set_instance_maintenance_policy(old.instance_maintenance_policy.clone())
        .set_availability_zone_distribution(old.availability_zone_distribution.clone())
        .set_availability_zone_impairment_policy(old.availability_zone_impairment_policy.clone())
        .set_capacity_reservation_specification(old.capacity_reservation_specification.clone())
        .set_lifecycle_hook_specification_list(Some(hooks).filter(|hooks| !hooks.is_empty()))
        .set_tags(Some(tags));
    client.ask("CreateAutoScalingGroup", request.send()).await.map(|_| ())
}

async fn hooks(client: &Client, old: &AutoScalingGroup) -> Result<Vec<LifecycleHookSpecification>, Box<Failure>> {
    let name = old.auto_scaling_group_name().unwrap_or_default();
    let request = client.autoscaling.describe_lifecycle_hooks().auto_scaling_group_name(name);
    let answer = client.ask("DescribeLifecycleHooks", request.send()).await?;
    Ok(answer.lifecycle_hooks.unwrap_or_default().into_iter().map(hook).collect())
}

fn hook(hook: LifecycleHook) -> LifecycleHookSpecification {
    LifecycleHookSpecification::builder()
        .set_lifecycle_hook_name(hook.lifecycle_hook_name)
        .set_lifecycle_transition(hook.lifecycle_transition)
        .set_notification_metadata(hook.notification_metadata)
        .set_heartbeat_timeout(hook.heartbeat_timeout)
        .set_default_result(hook.default_result)
        .set_notification_target_arn(hook.notification_target_arn)
        .set_role_arn(hook.role_arn)
        .build()
}

/// Copies the old group's policies, scheduled actions, notifications, metrics and warm pool to the new one. Existing
/// ones are overwritten, so it can be repeated.
pub(super) async fn furnish(client: &Client, run: &Run, old: &AutoScalingGroup, name: &str) -> Result<()> {
    policies(client, run, old, name).await?;
    schedule(client, run, old, name).await?;
    notifications(client, old, name).await?;
    let metrics: Vec<String> = old.enabled_metrics().iter().filter_map(|one| one.metric.clone()).collect();
    if !metrics.is_empty() {
        let request = client.autoscaling.enable_metrics_collection().auto_scaling_group_name(name);
        let request = request.set_metrics(Some(metrics)).granularity("1Minute");
        let doing = format!("collect metrics of {name}");
        client.call("EnableMetricsCollection", &doing, request.send()).await?;
    }
    if let Some(pool) = old.warm_pool_configuration() {
        let request = client
            .autoscaling
            .put_warm_pool()
            .auto_scaling_group_name(name)
            .set_max_group_prepared_capacity(pool.max_group_prepared_capacity)
            .set_min_size(pool.min_size)
            .set_pool_state(pool.pool_state.clone())
            .set_instance_reuse_policy(pool.instance_reuse_policy.clone());
        client.call("PutWarmPool", &format!("create a warm pool for {name}"), request.send()).await?;
    }
    Ok(())
}

async fn policies(client: &Client, run: &Run, old: &AutoScalingGroup, name: &str) -> Result<()> {
    let from = old.auto_scaling_group_name().unwrap_or_default();
    let all: Vec<ScalingPolicy> = pages(|page| async move {
        let request = client.autoscaling.describe_policies().auto_scaling_group_name(from).set_next_token(page);
        let answer = client.call("DescribePolicies", &format!("read the policies of {from}"), request.send()).await?;
        Ok((answer.scaling_policies.unwrap_or_default(), answer.next_token))
    })
    .await?;
    for policy in all {
        let title = policy.policy_name().unwrap_or_default().to_owned();
        let kind = policy.policy_type().unwrap_or("SimpleScaling").to_owned();
        let alarms: Vec<String> = policy.alarms().iter().filter_map(|one| one.alarm_name.clone()).collect();
        let request = client
            .autoscaling
            .put_scaling_policy()
            .auto_scaling_group_name(name)
            .set_policy_name(policy.policy_name)
            .set_policy_type(policy.policy_type)
            .set_adjustment_type(policy.adjustment_type)
            .set_min_adjustment_magnitude(policy.min_adjustment_magnitude)
            .set_scaling_adjustment(policy.scaling_adjustment)
            // Only a simple policy accepts a cooldown, but EC2 reports it for all.
            .set_cooldown(policy.cooldown.filter(|_| kind == "SimpleScaling"))
            .set_metric_aggregation_type(policy.metric_aggregation_type.filter(|_| kind == "StepScaling"))
            .set_step_adjustments(policy.step_adjustments.filter(|steps| !steps.is_empty()))
            .set_estimated_instance_warmup(policy.estimated_instance_warmup)
            .set_target_tracking_configuration(policy.target_tracking_configuration)
            .set_enabled(policy.enabled)
            .set_predictive_scaling_configuration(policy.predictive_scaling_configuration);
        let doing = format!("copy the scaling policy {title} to {name}");
        let made = client.call("PutScalingPolicy", &doing, request.send()).await?;
        // Target tracking creates its own alarms. The alarm of a step or simple policy belongs to the user, and invokes
        // only the old policy.
        if !alarms.is_empty() && matches!(kind.as_str(), "SimpleScaling" | "StepScaling") {
            run.warn(
                format!("the alarm {} triggers the policy {title} of {from}, not the one of {name}", alarms.join(", ")),
                Some(format!(
                    "Add the new policy to the actions of the alarm: {}",
                    made.policy_arn().unwrap_or_default()
                )),
            );
        }
    }
    Ok(())
}

async fn schedule(client: &Client, run: &Run, old: &AutoScalingGroup, name: &str) -> Result<()> {
    let from = old.auto_scaling_group_name().unwrap_or_default();
    let all: Vec<ScheduledUpdateGroupAction> = pages(|page| async move {
        let request =
            client.autoscaling.describe_scheduled_actions().auto_scaling_group_name(from).set_next_token(page);
        let doing = format!("read the scheduled actions of {from}");
        let answer = client.call("DescribeScheduledActions", &doing, request.send()).await?;
        Ok((answer.scheduled_update_group_actions.unwrap_or_default(), answer.next_token))
    })
    .await?;
    let now = DateTime::from_secs(run.clock().now().as_second());
    let wanted: Vec<_> = all.into_iter().filter_map(|one| action(one, now)).collect();
    for actions in wanted.chunks(ACTIONS) {
        let request = client.autoscaling.batch_put_scheduled_update_group_action().auto_scaling_group_name(name);
        let request = request.set_scheduled_update_group_actions(Some(actions.to_vec()));
        let doing = format!("copy the scheduled actions to {name}");
        let answer = client.call("BatchPutScheduledUpdateGroupAction", &doing, request.send()).await?;
        for failed in answer.failed_scheduled_update_group_actions() {
            let title = failed.scheduled_action_name().unwrap_or_default();
            run.warn(
                format!(
                    "could not copy the scheduled action {title} to {name}: {}",
                    failed.error_message().unwrap_or_default()
                ),
                None,
            );
        }
    }
    Ok(())
}

/// A future action; EC2 refuses start times in the past.
fn action(action: ScheduledUpdateGroupAction, now: DateTime) -> Option<ScheduledUpdateGroupActionRequest> {
    let past = |time: Option<DateTime>| time.is_some_and(|time| time <= now);
    if past(action.end_time) || (action.recurrence.is_none() && past(action.start_time)) {
        return None;
    }
    Some(
        ScheduledUpdateGroupActionRequest::builder()
            .set_scheduled_action_name(action.scheduled_action_name)
            .set_start_time(action.start_time.filter(|time| *time > now))
            .set_end_time(action.end_time)
            .set_recurrence(action.recurrence)
            .set_min_size(action.min_size)
            .set_max_size(action.max_size)
            .set_desired_capacity(action.desired_capacity)
            .set_time_zone(action.time_zone)
            .build(),
    )
}

async fn notifications(client: &Client, old: &AutoScalingGroup, name: &str) -> Result<()> {
    let from = old.auto_scaling_group_name().unwrap_or_default();
    let request = client.autoscaling.describe_notification_configurations().auto_scaling_group_names(from);
    let doing = format!("read the notifications of {from}");
    let answer = client.call("DescribeNotificationConfigurations", &doing, request.send()).await?;
    let mut topics = std::collections::BTreeMap::<String, Vec<String>>::new();
    for one in answer.notification_configurations.unwrap_or_default() {
        if let (Some(topic), Some(kind)) = (one.topic_arn, one.notification_type) {
            topics.entry(topic).or_default().push(kind);
        }
    }
    for (topic, kinds) in topics {
        let request = client.autoscaling.put_notification_configuration().auto_scaling_group_name(name);
        let request = request.topic_arn(&topic).set_notification_types(Some(kinds));
        let doing = format!("send notifications of {name} to {topic}");
        client.call("PutNotificationConfiguration", &doing, request.send()).await?;
    }
    Ok(())
}

/// The old group's tags for the new one, except AWS' own and ours, which describe the state of the old group.
pub(super) fn tags(old: &AutoScalingGroup, name: &str) -> Vec<Tag> {
    let own = |key: &str| key.starts_with("aws:") || key.starts_with("ami-bake:");
    old.tags()
        .iter()
        .filter(|tag| !tag.key().is_some_and(own))
        .map(|tag| {
            Tag::builder()
                .set_key(tag.key.clone())
                .set_value(tag.value.clone())
                .set_propagate_at_launch(tag.propagate_at_launch)
                .resource_id(name)
                .resource_type("auto-scaling-group")
                .build()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_actions_that_are_to_come_are_copied() {
        let now = DateTime::from_secs(1000);
        let once = |start| ScheduledUpdateGroupAction::builder().start_time(DateTime::from_secs(start)).build();
        assert!(action(once(999), now).is_none());
        assert_eq!(action(once(1001), now).unwrap().start_time, Some(DateTime::from_secs(1001)));
        let mut nightly = once(10);
        nightly.recurrence = Some("0 0 * * *".to_owned());
        assert_eq!(action(nightly, now).unwrap().start_time, None, "its first time is over");
    }
}
