//! What deployments need. Auto Scaling has no dry runs: of its actions only the look-up is asked for.

use std::sync::Arc;

use ami_bake_core::plan::Deployment;
use ami_bake_core::platform::Permission;
use futures::future::{BoxFuture, join_all};

use super::probe::probe;
use crate::client::Client;
use crate::deploy::actions;
use crate::platform::Inner;

/// One finding for each action that these deployments need.
pub(super) async fn deploy(home: &Arc<Inner>, all: &[&Deployment]) -> Vec<Permission> {
    let mut found: Vec<Permission> = Vec::new();
    for deployment in all {
        let region = deployment.region.as_deref().unwrap_or(home.client.region());
        let there = home.at(region, deployment.role.as_deref());
        let client = &there.client;
        let mut new = join_all(asked(client, deployment)).await;
        let of = client.account().map(|account| format!(" in {account}")).unwrap_or_default();
        new.extend(actions(deployment).into_iter().map(|action| Permission {
            action: format!("{action}{of}"),
            allowed: None,
            detail: Some("it can't be asked for without doing it".to_owned()),
        }));
        for permission in new {
            if !found.iter().any(|known| known.action == permission.action) {
                found.push(permission);
            }
        }
    }
    found
}

fn asked<'a>(client: &'a Client, deployment: &Deployment) -> Vec<BoxFuture<'a, Permission>> {
    let ec2 = &client.ec2;
    let template = Some(deployment.template.clone());
    let (id, name) = if deployment.template.starts_with("lt-") { (template, None) } else { (None, template) };
    let (create, delete) = (ec2.create_launch_template_version(), ec2.delete_launch_template_versions());
    let (modify, read) = (ec2.modify_launch_template(), ec2.describe_launch_template_versions());
    let data = aws_sdk_ec2::types::RequestLaunchTemplateData::builder().image_id(super::bake::IMAGE).build();
    let create =
        create.set_launch_template_id(id.clone()).set_launch_template_name(name.clone()).launch_template_data(data);
    let delete = delete.set_launch_template_id(id.clone()).set_launch_template_name(name.clone()).versions("1");
    let modify = modify.set_launch_template_id(id.clone()).set_launch_template_name(name.clone()).default_version("1");
    let read = read.set_launch_template_id(id).set_launch_template_name(name);
    let mut all: Vec<BoxFuture<'a, Permission>> = vec![
        Box::pin(probe(client, "DescribeLaunchTemplates", ec2.describe_launch_templates().dry_run(true).send())),
        Box::pin(probe(client, "DescribeLaunchTemplateVersions", read.dry_run(true).send())),
        Box::pin(probe(client, "CreateLaunchTemplateVersion", create.dry_run(true).send())),
        Box::pin(probe(client, "DeleteLaunchTemplateVersions", delete.dry_run(true).send())),
        Box::pin(probe(client, "ModifyLaunchTemplate", modify.dry_run(true).send())),
    ];
    if let Some(group) = &deployment.group {
        let groups = client.autoscaling.describe_auto_scaling_groups().auto_scaling_group_names(group);
        all.push(Box::pin(probe(client, "DescribeAutoScalingGroups", groups.send())));
        let refreshes = client.autoscaling.describe_instance_refreshes().auto_scaling_group_name(group).max_records(1);
        all.push(Box::pin(probe(client, "DescribeInstanceRefreshes", refreshes.send())));
    }
    all
}
