//! Checks for actions that only read.

use ami_bake_core::Result;
use ami_bake_core::plan::Strategy;
use ami_bake_core::platform::Permission;
use aws_sdk_ec2::types::ImageAttributeName;

use super::probe::unasked;
use super::question::{IMAGE, INSTANCE, NAME, Question, Subject, dry, read};
use crate::client::Client;
use crate::policy::{GROUP_ROLE, SPOT_ROLE};

/// The check for an action that changes nothing.
pub(super) fn ask<'a>(client: &'a Client, action: &str, about: &'a Subject<'a>) -> Question<'a> {
    let (service, call) = action.split_once(':')?;
    match service {
        "ec2" => ec2(client, call),
        "autoscaling" => groups(client, call, about),
        "iam" => roles(client, call, about),
        "ssm" if call == "GetParameter" => {
            let name = about.parameter.unwrap_or(NAME);
            read!(client, "GetParameter", client.ssm.get_parameter().name(name))
        }
        "sts" => match call {
            "GetCallerIdentity" => read!(client, "GetCallerIdentity", client.sts.get_caller_identity()),
            // The error for an invalid message differs from the one for a missing permission.
            "DecodeAuthorizationMessage" => {
                let request = client.sts.decode_authorization_message().encoded_message(NAME);
                read!(client, "DecodeAuthorizationMessage", request)
            }
            _ => None,
        },
        _ => None,
    }
}

fn ec2<'a>(client: &'a Client, call: &str) -> Question<'a> {
    let ec2 = &client.ec2;
    match call {
        "DescribeImages" => dry!(client, "DescribeImages", ec2.describe_images().owners("self")),
        "DescribeInstances" => dry!(client, "DescribeInstances", ec2.describe_instances()),
        "DescribeKeyPairs" => dry!(client, "DescribeKeyPairs", ec2.describe_key_pairs()),
        "DescribeNetworkInterfaces" => dry!(client, "DescribeNetworkInterfaces", ec2.describe_network_interfaces()),
        "DescribeRegions" => dry!(client, "DescribeRegions", ec2.describe_regions()),
        "DescribeSecurityGroups" => dry!(client, "DescribeSecurityGroups", ec2.describe_security_groups()),
        "DescribeSnapshots" => dry!(client, "DescribeSnapshots", ec2.describe_snapshots().owner_ids("self")),
        "DescribeSubnets" => dry!(client, "DescribeSubnets", ec2.describe_subnets()),
        "DescribeVolumes" => dry!(client, "DescribeVolumes", ec2.describe_volumes()),
        "DescribeVpcs" => dry!(client, "DescribeVpcs", ec2.describe_vpcs()),
        "DescribeInstanceTypes" => dry!(client, "DescribeInstanceTypes", ec2.describe_instance_types()),
        "DescribeSpotPriceHistory" => dry!(client, "DescribeSpotPriceHistory", ec2.describe_spot_price_history()),
        "DescribeLaunchTemplates" => dry!(client, "DescribeLaunchTemplates", ec2.describe_launch_templates()),
        "DescribeImageAttribute" => {
            let request = ec2.describe_image_attribute().image_id(IMAGE).attribute(ImageAttributeName::UefiData);
            dry!(client, "DescribeImageAttribute", request)
        }
        "DescribeImageReferences" => {
            let request = ec2.describe_image_references().image_ids(IMAGE).include_all_resource_types(true);
            dry!(client, "DescribeImageReferences", request)
        }
        "DescribeImageUsageReports" => {
            dry!(client, "DescribeImageUsageReports", ec2.describe_image_usage_reports())
        }
        "DescribeImageUsageReportEntries" => {
            dry!(client, "DescribeImageUsageReportEntries", ec2.describe_image_usage_report_entries())
        }
        "DescribeInstanceStatus" => {
            dry!(client, "DescribeInstanceStatus", ec2.describe_instance_status())
        }
        "GetConsoleOutput" => dry!(client, "GetConsoleOutput", ec2.get_console_output().instance_id(INSTANCE)),
        "GetInstanceUefiData" => {
            dry!(client, "GetInstanceUefiData", ec2.get_instance_uefi_data().instance_id(INSTANCE))
        }
        "GetEbsDefaultKmsKeyId" => dry!(client, "GetEbsDefaultKmsKeyId", ec2.get_ebs_default_kms_key_id()),
        "GetEbsEncryptionByDefault" => dry!(client, "GetEbsEncryptionByDefault", ec2.get_ebs_encryption_by_default()),
        "GetImageBlockPublicAccessState" => {
            dry!(client, "GetImageBlockPublicAccessState", ec2.get_image_block_public_access_state())
        }
        _ => None,
    }
}

/// Checks for Auto Scaling. It has no dry runs, but actions that only read need none.
fn groups<'a>(client: &'a Client, call: &str, about: &'a Subject<'a>) -> Question<'a> {
    let groups = &client.autoscaling;
    let group = about.deployments.iter().find_map(|deployment| deployment.group.as_deref()).unwrap_or(NAME);
    match call {
        "DescribeAutoScalingGroups" => {
            read!(client, "DescribeAutoScalingGroups", groups.describe_auto_scaling_groups().max_records(1))
        }
        "DescribeLaunchConfigurations" => {
            read!(client, "DescribeLaunchConfigurations", groups.describe_launch_configurations().max_records(1))
        }
        "DescribeInstanceRefreshes" => {
            let request = groups.describe_instance_refreshes().auto_scaling_group_name(group).max_records(1);
            read!(client, "DescribeInstanceRefreshes", request)
        }
        "DescribeLifecycleHooks" => {
            read!(client, "DescribeLifecycleHooks", groups.describe_lifecycle_hooks().auto_scaling_group_name(group))
        }
        "DescribeLoadBalancerTargetGroups" => {
            let request = groups.describe_load_balancer_target_groups().auto_scaling_group_name(group);
            read!(client, "DescribeLoadBalancerTargetGroups", request)
        }
        "DescribeLoadBalancers" => {
            read!(client, "DescribeLoadBalancers", groups.describe_load_balancers().auto_scaling_group_name(group))
        }
        "DescribeNotificationConfigurations" => {
            let request = groups.describe_notification_configurations().auto_scaling_group_names(group);
            read!(client, "DescribeNotificationConfigurations", request)
        }
        "DescribePolicies" => {
            read!(client, "DescribePolicies", groups.describe_policies().auto_scaling_group_name(group))
        }
        "DescribeScheduledActions" => {
            read!(
                client,
                "DescribeScheduledActions",
                groups.describe_scheduled_actions().auto_scaling_group_name(group)
            )
        }
        _ => None,
    }
}

/// Checks whether the service-linked roles exist: then no permission to create them is needed. IAM has no dry run for
/// creating them.
async fn linked_roles(client: &Client, about: &Subject<'_>) -> Result<Permission> {
    const ACTION: &str = "CreateServiceLinkedRole";
    let spot = about.machines.iter().any(|machine| machine.spot);
    let replaces = about.deployments.iter().any(|one| matches!(one.strategy, Strategy::Replace(_)));
    let needed = [(spot, SPOT_ROLE), (replaces, GROUP_ROLE)];
    for (_, role) in needed.iter().filter(|(needed, _)| *needed) {
        let answer = client.ask("GetRole", client.iam.get_role().role_name(*role).send()).await;
        if let Err(failure) = answer {
            let why = if failure.not_found() {
                format!("the account has no role {role} yet; IAM has no dry run for its creation")
            } else if failure.is_denied() {
                format!("whether the account has the role {role} is unknown without iam:GetRole")
            } else {
                return Err(client.explain(*failure, &format!("look for the role {role}")).await);
            };
            return Ok(unasked(client, ACTION, &why));
        }
    }
    Ok(Permission {
        action: format!("iam:{ACTION}"),
        allowed: Some(true),
        detail: Some("not needed: the account has the roles".to_owned()),
    })
}

fn roles<'a>(client: &'a Client, call: &str, about: &'a Subject<'a>) -> Question<'a> {
    let iam = &client.iam;
    match call {
        "ListRoles" => read!(client, "ListRoles", iam.list_roles().max_items(1)),
        "ListInstanceProfiles" => read!(client, "ListInstanceProfiles", iam.list_instance_profiles().max_items(1)),
        "CreateServiceLinkedRole" => Some(Box::pin(linked_roles(client, about))),
        "GetRole" => {
            // A policy without machine roles only allows reading service-linked roles.
            let name = if about.machines.iter().any(|machine| machine.policy.is_some()) {
                NAME
            } else if about.machines.iter().any(|machine| machine.spot) {
                SPOT_ROLE
            } else {
                GROUP_ROLE
            };
            read!(client, "GetRole", iam.get_role().role_name(name))
        }
        "GetInstanceProfile" => {
            // If the manifest names a profile, only that one may be read.
            let named = about.machines.iter().find_map(|machine| machine.profile.as_deref());
            let name = named.and_then(|name| name.rsplit('/').next()).unwrap_or(NAME);
            read!(client, "GetInstanceProfile", iam.get_instance_profile().instance_profile_name(name))
        }
        _ => None,
    }
}
