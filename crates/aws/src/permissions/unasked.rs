//! Actions that can't be checked without running them, and why.

/// Actions of IAM, which has no dry runs.
const IAM: [&str; 11] = [
    "iam:AddRoleToInstanceProfile",
    "iam:CreateInstanceProfile",
    "iam:CreateRole",
    "iam:DeleteInstanceProfile",
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "iam:PassRole",
    "iam:PutRolePolicy",
    "iam:RemoveRoleFromInstanceProfile",
    "iam:TagInstanceProfile",
    "iam:TagRole",
];
/// Actions of Auto Scaling, which has no dry runs.
const GROUPS: [&str; 21] = [
    "autoscaling:AttachLoadBalancerTargetGroups",
    "autoscaling:AttachLoadBalancers",
    "autoscaling:BatchPutScheduledUpdateGroupAction",
    "autoscaling:CancelInstanceRefresh",
    "autoscaling:CreateAutoScalingGroup",
    "autoscaling:CreateOrUpdateTags",
    "autoscaling:DeleteAutoScalingGroup",
    "autoscaling:DeleteTags",
    "autoscaling:DetachLoadBalancerTargetGroups",
    "autoscaling:DetachLoadBalancers",
    "autoscaling:EnableMetricsCollection",
    "autoscaling:PutNotificationConfiguration",
    "autoscaling:PutScalingPolicy",
    "autoscaling:PutWarmPool",
    "autoscaling:ResumeProcesses",
    "autoscaling:RollbackInstanceRefresh",
    "autoscaling:StartInstanceRefresh",
    "autoscaling:SuspendProcesses",
    "autoscaling:UpdateAutoScalingGroup",
    // Auto Scaling creates its alarms with the role's permissions.
    "cloudwatch:DeleteAlarms",
    "cloudwatch:PutMetricAlarm",
];
/// Actions of KMS, which EBS uses with the role's permissions.
const KEYS: [&str; 6] = [
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
];

/// Why an action can't be checked; `None` for one that can, or that is unknown.
pub(super) fn why(action: &str) -> Option<&'static str> {
    if IAM.contains(&action) {
        return Some("IAM has no dry run; the first denied call names the missing statement");
    }
    if GROUPS.contains(&action) {
        return Some("it can't be checked without doing it");
    }
    if KEYS.contains(&action) {
        return Some("EBS does it on behalf of the role; the first denied call names the key");
    }
    match action {
        "s3:PutObject" => Some("S3 has no dry run; the first denied call names the missing statement"),
        "ssm:AddTagsToResource" | "ssm:PutParameter" => {
            Some("Systems Manager has no dry run; the first denied call names the missing statement")
        }
        _ => None,
    }
}

/// Reason for actions that a statement only allows to AWS itself.
pub(super) const BY_AWS: &str = "only EC2 does it, on behalf of the role";
/// Detail for an unknown action; a test ensures that there is none.
pub(super) const UNKNOWN: &str = "ami-bake has no check for it";
