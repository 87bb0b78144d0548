//! The actions that deployments may use, for `plan --permissions` and `policy`.

use ami_bake_core::plan::{Deployment, Strategy};

/// Actions on the template, and those that every group needs.
const ALWAYS: [&str; 7] = [
    "ec2:DescribeImages",
    "ec2:DescribeSnapshots",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:CreateLaunchTemplateVersion",
    "ec2:DeleteLaunchTemplateVersions",
    "ec2:ModifyLaunchTemplate",
];
/// Actions of a refresh, its rollback, and of following `$Default` or `$Latest` again. Auto Scaling checks a launch of
/// the template's version as the caller, hence the last three.
const REFRESH: [&str; 9] = [
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeInstanceRefreshes",
    "autoscaling:StartInstanceRefresh",
    "autoscaling:RollbackInstanceRefresh",
    "autoscaling:CancelInstanceRefresh",
    "autoscaling:UpdateAutoScalingGroup",
    "ec2:CreateTags",
    "ec2:RunInstances",
    "iam:PassRole",
];
/// Actions of replacing a group with a second one.
const REPLACE: [&str; 29] = [
    "autoscaling:AttachLoadBalancerTargetGroups",
    "autoscaling:AttachLoadBalancers",
    "autoscaling:BatchPutScheduledUpdateGroupAction",
    "autoscaling:CreateAutoScalingGroup",
    "autoscaling:CreateOrUpdateTags",
    "autoscaling:DeleteAutoScalingGroup",
    "autoscaling:DeleteTags",
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeLifecycleHooks",
    "autoscaling:DescribeLoadBalancerTargetGroups",
    "autoscaling:DescribeLoadBalancers",
    "autoscaling:DescribeNotificationConfigurations",
    "autoscaling:DescribePolicies",
    "autoscaling:DescribeScheduledActions",
    "autoscaling:DetachLoadBalancerTargetGroups",
    "autoscaling:DetachLoadBalancers",
    "autoscaling:EnableMetricsCollection",
    "autoscaling:PutNotificationConfiguration",
    "autoscaling:PutScalingPolicy",
    "autoscaling:PutWarmPool",
    "autoscaling:ResumeProcesses",
    "autoscaling:SuspendProcesses",
    "autoscaling:UpdateAutoScalingGroup",
    "cloudwatch:DeleteAlarms",
    "cloudwatch:PutMetricAlarm",
    "ec2:CreateTags",
    "ec2:RunInstances",
    "iam:CreateServiceLinkedRole",
    "iam:PassRole",
];

/// The actions that a deployment may use, without duplicates.
pub(crate) fn actions(deployment: &Deployment) -> Vec<&'static str> {
    let of_group: &[&'static str] = match (&deployment.group, &deployment.strategy) {
        (None, _) => &[],
        (Some(_), Strategy::Refresh(_)) => &REFRESH,
        (Some(_), Strategy::Replace(_)) => &REPLACE,
    };
    let of_versions: &[&'static str] = match (&deployment.group, deployment.keep_versions) {
        // Pruning checks which versions the groups use.
        (None, Some(_)) => &["autoscaling:DescribeAutoScalingGroups"],
        _ => &[],
    };
    ALWAYS.iter().chain(of_group).chain(of_versions).copied().collect()
}
