//! Policy statements for publishing and deploying: in the own account, and for roles of other accounts.

use std::collections::BTreeSet;

use ami_bake_core::plan::{Deployment, Distribution, RegionPlan};
use serde_json::json;

use super::bake::parameter;
use super::outline::{Outline, targets};
use super::roles::{GROUP_ROLE, find_linked_role, kms, linked_role};
use super::scope::PolicyScope;
use super::statement::Statement;
use crate::client::identity::ec2_service;
use crate::deploy::actions as actions_of;

type Plans = [Outline];

/// The statements of the role that bakes.
pub(super) fn at_home(plans: &Plans, scope: &PolicyScope) -> Vec<Statement> {
    let all: Vec<&Distribution> = plans.iter().map(|one| &one.plan.settings.distribution).collect();
    let regions: Vec<&RegionPlan> = all.iter().flat_map(|one| &one.regions).collect();
    let others = regions.iter().map(|region| region.region.as_str()).filter(|region| *region != scope.region);
    let mut statements = Vec::from(copies(others, scope));
    statements.extend(kms(named_keys(&regions), scope));
    statements.extend(marks(&all, scope));
    if regions.iter().any(|region| region.region != scope.region) {
        statements.push(Statement::anywhere("LookAtRegions", ["ec2:DescribeRegions"]));
    }
    let everywhere: BTreeSet<&str> =
        regions.iter().map(|region| region.region.as_str()).chain([scope.region.as_str()]).collect();
    statements.push(parameters(plans, &everywhere, scope));
    // To delete old versions and expired pre-releases, which a sweep does as well.
    statements.extend(uses());
    let lent = all.iter().any(|one| !one.targets.is_empty());
    if lent {
        let snapshots =
            Statement::new("Lend", ["ec2:ModifySnapshotAttribute"], [scope.ec2(&scope.region, "snapshot/*")]);
        statements.push(snapshots.of_a_run());
    }
    let roles = targets(plans);
    statements.push(Statement::new("AssumeOthers", ["sts:AssumeRole"], roles));
    let own =
        plans.iter().flat_map(|one| &one.plan.settings.deployments).filter(|deployment| deployment.role.is_none());
    statements.extend(deployments(&own.collect::<Vec<_>>(), scope));
    statements
}

/// The statements of a role in another account.
pub(super) fn elsewhere(plans: &Plans, role: &str, scope: &PolicyScope) -> Vec<Statement> {
    let targets =
        plans.iter().flat_map(|one| &one.plan.settings.distribution.targets).filter(|target| target.role == role);
    let regions: Vec<&RegionPlan> = targets.flat_map(|target| &target.regions).collect();
    let mut statements = Vec::new();
    if !regions.is_empty() {
        let all: Vec<&Distribution> = plans.iter().map(|one| &one.plan.settings.distribution).collect();
        let names: BTreeSet<&str> = regions.iter().map(|region| region.region.as_str()).collect();
        // A sweep looks for everything that has expired, also in regions with copies only.
        statements.push(Statement::anywhere(
            "Look",
            [
                "ec2:DescribeImages",
                "ec2:DescribeInstances",
                "ec2:DescribeKeyPairs",
                "ec2:DescribeRegions",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSnapshots",
                "ec2:DescribeVolumes",
                "ec2:GetEbsDefaultKmsKeyId",
                "ec2:GetEbsEncryptionByDefault",
                "iam:ListInstanceProfiles",
                "iam:ListRoles",
                "sts:DecodeAuthorizationMessage",
                "sts:GetCallerIdentity",
            ],
        ));
        statements.extend(copies(names.iter().copied(), scope));
        // Images and snapshots that the bake's own account shares with this one for its copy.
        let shared = [scope.ec2(&scope.region, "image/*"), scope.ec2(&scope.region, "snapshot/*")];
        statements.push(Statement::new("CopyFrom", ["ec2:CopyImage", "ec2:CopySnapshot"], shared));
        let own = names.iter().flat_map(|region| [scope.ec2(region, "image/*"), scope.ec2(region, "snapshot/*")]);
        let own: Vec<String> = own.collect();
        let created = ["CopyImage", "CopySnapshot", "CreateImageUsageReport", "RegisterImage"];
        let reports = names.iter().map(|region| scope.ec2(region, "image-usage-report/*"));
        let tagging = Statement::new("TagAtCreation", ["ec2:CreateTags"], own.iter().cloned().chain(reports));
        statements.push(tagging.when("StringEquals", "ec2:CreateAction", json!(created)));
        let later = [
            "ec2:CreateTags",
            "ec2:DeleteTags",
            "ec2:DeleteSnapshot",
            "ec2:DeregisterImage",
            "ec2:DescribeImageAttribute",
        ];
        statements.push(Statement::new("OwnLater", later, own).of_a_run());
        statements.extend(kms(named_keys(&regions), scope));
        statements.extend(marks(&all, scope));
        statements.push(parameters(plans, &names, scope));
        statements.extend(uses());
    }
    let under =
        plans.iter().flat_map(|one| &one.plan.settings.deployments).filter(|one| one.role.as_deref() == Some(role));
    statements.extend(deployments(&under.collect::<Vec<_>>(), scope));
    statements
}

fn named_keys<'a>(regions: &[&'a RegionPlan]) -> Vec<(&'a str, &'a str)> {
    regions.iter().filter_map(|region| Some((region.region.as_str(), region.kms_key.as_deref()?))).collect()
}

/// Statements for copies of snapshots and images into regions, and for registering them there.
fn copies<'a>(regions: impl Iterator<Item = &'a str>, scope: &PolicyScope) -> [Statement; 2] {
    let regions: Vec<&str> = regions.collect();
    let snapshots = || regions.iter().map(|region| scope.ec2(region, "snapshot/*"));
    let both = regions.iter().map(|region| scope.ec2(region, "image/*")).chain(snapshots());
    [
        Statement::new("Copy", ["ec2:CopyImage", "ec2:CopySnapshot", "ec2:RegisterImage"], both).creating(),
        Statement::new("RegisterCopies", ["ec2:RegisterImage"], snapshots()).of_a_run(),
    ]
}

/// Statements for sharing, deprecating and protecting a run's own images.
fn marks(all: &[&Distribution], scope: &PolicyScope) -> Vec<Statement> {
    let any = |test: fn(&Distribution) -> bool| all.iter().any(|one| test(one));
    let mut actions = Vec::new();
    actions.extend(any(|one| !one.share.is_nobody()).then_some("ec2:ModifyImageAttribute"));
    actions.extend(any(|one| one.deprecate_after.is_some()).then_some("ec2:EnableImageDeprecation"));
    actions.extend(any(|one| one.protect).then_some("ec2:EnableImageDeregistrationProtection"));
    let mut statements = vec![Statement::new("Mark", actions, [scope.ec2("*", "image/*")]).of_a_run()];
    if any(|one| one.share.public) {
        statements.push(Statement::anywhere("LookIntoPublicAccess", ["ec2:GetImageBlockPublicAccessState"]));
    }
    statements
}

/// Statements for parameters in each region; text that differs between versions is a pattern.
fn parameters(plans: &Plans, regions: &BTreeSet<&str>, scope: &PolicyScope) -> Statement {
    let names: BTreeSet<String> = plans
        .iter()
        .flat_map(|one| {
            let other = &one.other.settings.distribution.parameters;
            one.plan.settings.distribution.parameters.iter().zip(other)
        })
        .map(|(one, other)| pattern(one, other))
        .collect();
    let arns = names.iter().flat_map(|name| regions.iter().map(|region| parameter(scope, region, name)));
    Statement::new("Point", ["ssm:AddTagsToResource", "ssm:GetParameter", "ssm:PutParameter"], arns.collect::<Vec<_>>())
}

/// Statements for finding the users of an image before it is deleted.
fn uses() -> [Statement; 2] {
    let asked = [
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeLaunchConfigurations",
        "ec2:CreateImageUsageReport",
        "ec2:DescribeImageAttribute",
        "ec2:DescribeImageReferences",
        "ec2:DescribeImageUsageReportEntries",
        "ec2:DescribeImageUsageReports",
    ];
    // EC2 reads these with the role's permissions (EC2 user guide, "Identify your resources referencing specified
    // AMIs").
    let by_ec2 = [
        "ec2:DescribeInstances",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:DescribeLaunchTemplates",
        "imagebuilder:GetContainerRecipe",
        "imagebuilder:ListContainerRecipes",
        "imagebuilder:ListImageRecipes",
        "ssm:DescribeParameters",
        "ssm:GetParameters",
    ];
    let by_ec2 = Statement::anywhere("WhoUsesByEc2", by_ec2);
    [
        Statement::anywhere("WhoUses", asked),
        by_ec2.when("ForAnyValue:StringEquals", "aws:CalledVia", json!(["ec2-images.amazonaws.com"])),
    ]
}

/// Statements for deployments: templates by ID if they are named by it, groups by name.
fn deployments(all: &[&Deployment], scope: &PolicyScope) -> Vec<Statement> {
    let mut templates = Vec::new();
    let mut groups = Vec::new();
    let mut actions: BTreeSet<&'static str> = BTreeSet::new();
    for deployment in all {
        let region = deployment.region.as_deref().unwrap_or(&scope.region);
        let id = if deployment.template.starts_with("lt-") { deployment.template.as_str() } else { "*" };
        templates.push(scope.ec2(region, &format!("launch-template/{id}")));
        if let Some(group) = &deployment.group {
            // A replacing group has the old one's name with a suffix.
            let name = format!("autoScalingGroup:*:autoScalingGroupName/{group}*");
            groups.push(format!("arn:{}:autoscaling:{region}:{}:{name}", scope.partition, scope.account));
        }
        actions.extend(actions_of(deployment));
    }
    let (mut looks, mut of_templates, mut of_groups, mut others) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut passes, mut tags, mut launches, mut links) = (false, false, false, false);
    for action in actions {
        let (service, call) = action.split_once(':').unwrap_or(("", action));
        match (service, call) {
            ("iam", "PassRole") => passes = true,
            ("iam", "CreateServiceLinkedRole") => links = true,
            ("ec2", "CreateTags") => tags = true,
            ("ec2", "RunInstances") => launches = true,
            (_, call) if call.starts_with("Describe") => looks.push(action),
            ("ec2", call) if call.contains("LaunchTemplate") => of_templates.push(action),
            ("autoscaling", _) => of_groups.push(action),
            _ => others.push(action),
        }
    }
    let mut statements = vec![
        Statement::anywhere("LookBeforeDeploy", looks),
        Statement::new("MoveTemplate", of_templates, templates),
        Statement::new("MoveGroup", of_groups, groups),
        Statement::anywhere("AsAutoScaling", others),
    ];
    // Auto Scaling checks the launch of the template's version as the caller, with everything that the template uses and
    // tags (Auto Scaling user guide, "Launch template support").
    if launches {
        let of = scope.ec2("*", "launch-template/*");
        let launch = Statement::anywhere("LaunchAsAutoScaling", ["ec2:RunInstances"]);
        statements.push(launch.when("ArnLike", "ec2:LaunchTemplate", json!(of)));
    }
    if tags {
        let tag = Statement::anywhere("TagAsAutoScaling", ["ec2:CreateTags"]);
        statements.push(tag.when("StringEquals", "ec2:CreateAction", json!("RunInstances")));
    }
    if links {
        statements.push(linked_role("GroupRole", "autoscaling.amazonaws.com", scope));
        statements.push(find_linked_role("FindGroupRole", "autoscaling.amazonaws.com", GROUP_ROLE, scope));
    }
    if passes {
        // The role of the template's profile, and the roles of lifecycle hooks, which have no service principal of
        // their own in China.
        let service = [ec2_service(&scope.partition), "autoscaling.amazonaws.com"];
        let roles = format!("arn:{}:iam::{}:role/*", scope.partition, scope.account);
        let pass = Statement::new("PassTemplateRole", ["iam:PassRole"], [roles]);
        statements.push(pass.when("StringEquals", "iam:PassedToService", json!(service)));
    }
    statements
}

/// The common prefix and suffix of two texts, with `*` for what differs.
pub(super) fn pattern(one: &str, other: &str) -> String {
    if one == other {
        return one.to_owned();
    }
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let before = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let room = one.len().min(other.len()) - before;
    let after = one.iter().rev().zip(other.iter().rev()).take(room).take_while(|(a, b)| a == b).count();
    let text = |characters: &[char]| characters.iter().collect::<String>();
    format!("{}*{}", text(&one[..before]), text(&one[one.len() - after..]))
}
