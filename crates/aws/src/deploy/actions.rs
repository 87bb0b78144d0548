//! What a deployment may have to call, for `plan --permissions` and `policy`.

use ami_bake_core::plan::{Deployment, Strategy};

/// The template's part, and what every group asks.
const ALWAYS: [&str; 7] = [
    "ec2:DescribeImages",
    "ec2:DescribeSnapshots",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:CreateLaunchTemplateVersion",
    "ec2:DeleteLaunchTemplateVersions",
    "ec2:ModifyLaunchTemplate",
];
/// A refresh, its rollback, and the group that follows a pointer again. Auto Scaling checks a launch of the template's
/// version as the caller, hence the last three.
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
/// A group that takes over from another.
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

/// The actions that a deployment may need, each once.
pub(crate) fn actions(deployment: &Deployment) -> Vec<&'static str> {
    let of_group: &[&'static str] = match (&deployment.group, &deployment.strategy) {
        (None, _) => &[],
        (Some(_), Strategy::Refresh(_)) => &REFRESH,
        (Some(_), Strategy::Replace(_)) => &REPLACE,
    };
    let of_versions: &[&'static str] = match (&deployment.group, deployment.keep_versions) {
        // Which versions the groups ask for.
        (None, Some(_)) => &["autoscaling:DescribeAutoScalingGroups"],
        _ => &[],
    };
    ALWAYS.iter().chain(of_group).chain(of_versions).copied().collect()
}
