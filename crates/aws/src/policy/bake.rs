//! Policy statements for the bake itself.

use ami_bake_core::plan::{ImagePlan, MachineSettings, SourceQuery, TestConnect};
use serde_json::json;

use super::outline::Outline;
use super::roles::{keys, roles, spot};
use super::scope::PolicyScope;
use super::statement::Statement;

/// Read actions, allowed on all resources.
const READS: [&str; 15] = [
    // Of the source, whose UEFI variables the image gets.
    "ec2:DescribeImageAttribute",
    "ec2:DescribeImages",
    "ec2:DescribeInstances",
    "ec2:DescribeKeyPairs",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSnapshots",
    "ec2:DescribeSubnets",
    "ec2:DescribeVolumes",
    "ec2:DescribeVpcs",
    "ec2:DescribeInstanceTypes",
    "ec2:GetEbsDefaultKmsKeyId",
    "ec2:GetEbsEncryptionByDefault",
    "sts:DecodeAuthorizationMessage",
    "sts:GetCallerIdentity",
];
/// Capture actions; which one is used depends on the source's billing code, which is not known yet.
const CAPTURES: [&str; 2] = ["ec2:CreateImage", "ec2:CreateSnapshots"];
/// Calls that make something, each with its tags.
const CREATING: [&str; 8] = [
    "CopyImage",
    "CopySnapshot",
    "CreateImage",
    "CreateImageUsageReport",
    "CreateSecurityGroup",
    "CreateSnapshots",
    "ImportKeyPair",
    "RegisterImage",
];

/// The statements for machines, snapshots and images in the home region.
pub(super) fn statements(outlines: &[Outline], scope: &PolicyScope) -> Vec<Statement> {
    let plans: Vec<&ImagePlan> = outlines.iter().map(|outline| &outline.plan).collect();
    let plans = plans.as_slice();
    let machines: Vec<&MachineSettings> = plans.iter().map(|plan| &plan.machine).collect();
    let any = |test: fn(&MachineSettings) -> bool| machines.iter().any(|machine| test(machine));
    let own_groups = any(|machine| machine.security_groups.is_empty());
    let here = |name: &str| scope.ec2(&scope.region, name);
    let mut all = vec![
        Statement::anywhere("Look", READS),
        launch(&machines, scope),
        Statement::new("LaunchTagged", ["ec2:RunInstances"], launched(any(|machine| machine.spot)).map(&here))
            .creating(),
        Statement::new("ImportKey", ["ec2:ImportKeyPair"], [here("key-pair/*")]).creating(),
        Statement::new("CaptureMachine", CAPTURES, ["instance/*", "volume/*"].map(here)).of_a_run(),
        Statement::new("CaptureTagged", CAPTURES, ["snapshot/*", "image/*"].map(here)).creating(),
        Statement::new("RegisterTagged", ["ec2:RegisterImage", "ec2:CopyImage"], [here("image/*")]).creating(),
        Statement::new("RegisterSnapshots", ["ec2:RegisterImage"], [here("snapshot/*")]).of_a_run(),
        copy_from(plans, scope),
        tag_at_creation(own_groups, scope),
        change(scope),
        Statement::new("TagLater", ["ec2:CreateTags", "ec2:DeleteTags"], tagged(scope)).of_a_run(),
        Statement::new("Undo", undo(own_groups), tagged(scope)).of_a_run(),
    ];
    // The test of an image without a login.
    if plans.iter().any(|plan| plan.settings.test_connect == Some(TestConnect::None)) {
        all.push(Statement::anywhere("LookAtBoot", ["ec2:DescribeInstanceStatus"]));
    }
    if own_groups {
        all.push(Statement::new("MakeGroup", ["ec2:CreateSecurityGroup"], [here("security-group/*")]).creating());
        all.push(Statement::new("MakeGroupIn", ["ec2:CreateSecurityGroup"], [here("vpc/*")]));
        // The interface leaves the bake's group when the machine ends, so that the group can be deleted.
        let leave = ["ec2:ModifyNetworkInterfaceAttribute"];
        all.push(Statement::new("LeaveGroup", leave, ["network-interface/*", "instance/*"].map(here)).of_a_run());
        // For the VPC's default group, whose ID is not known in advance.
        all.push(Statement::new("EnterDefaultGroup", leave, [here("security-group/*")]));
    }
    if any(|machine| machine.spot) {
        all.extend(spot(scope));
    }
    all.push(parameters(outlines, scope));
    all.extend(roles(&machines, scope));
    all.extend(keys(plans, scope));
    all
}

fn launched(spot: bool) -> impl Iterator<Item = &'static str> {
    let of_spot = spot.then_some("spot-instances-request/*");
    ["instance/*", "volume/*", "network-interface/*"].into_iter().chain(of_spot)
}

/// The statement for resources that a launch uses but does not create.
fn launch(machines: &[&MachineSettings], scope: &PolicyScope) -> Statement {
    let here = |name: &str| scope.ec2(&scope.region, name);
    let mut used = vec![here("image/*"), here("snapshot/*"), here("key-pair/*")];
    let subnets: Vec<&String> = machines.iter().flat_map(|machine| &machine.subnets).collect();
    // If all subnets are named by ID, only those are allowed.
    let named = !subnets.is_empty() && machines.iter().all(|machine| !machine.subnets.is_empty());
    if named && subnets.iter().all(|subnet| subnet.starts_with("subnet-")) {
        used.extend(subnets.iter().map(|subnet| here(&format!("subnet/{subnet}"))));
    } else {
        used.push(here("subnet/*"));
    }
    used.push(here("security-group/*"));
    Statement::new("LaunchWith", ["ec2:RunInstances"], used)
}

/// The statement for sources and targets of copies in the home region. Neither action can be restricted by its source's
/// tags (Service Authorization Reference: CopyImage and CopySnapshot know the tags of the request only).
fn copy_from(plans: &[&ImagePlan], scope: &PolicyScope) -> Statement {
    let here = |name: &str| scope.ec2(&scope.region, name);
    let mut regions = plans.iter().flat_map(|plan| &plan.settings.distribution.regions);
    let distributed = regions.any(|region| region.region != scope.region);
    let snapshots = distributed || plans.iter().any(|plan| plan.machine.lineage);
    // A source with a product code is captured by CreateImage and CopyImage, whatever the manifest says.
    let actions = ["ec2:CopyImage"].into_iter().chain(snapshots.then_some("ec2:CopySnapshot"));
    Statement::new("CopyFrom", actions, [here("image/*"), here("snapshot/*")])
}

fn tag_at_creation(own_groups: bool, scope: &PolicyScope) -> Statement {
    let calls = CREATING.iter().copied().filter(|call| own_groups || *call != "CreateSecurityGroup");
    let calls: Vec<&str> = calls.chain(["RunInstances"]).collect();
    let made =
        ["instance/*", "volume/*", "network-interface/*", "spot-instances-request/*", "key-pair/*", "security-group/*"];
    let made = made.iter().chain(&["snapshot/*", "image/*", "image-usage-report/*"]).map(|name| scope.ec2("*", name));
    Statement::new("TagAtCreation", ["ec2:CreateTags"], made).when("StringEquals", "ec2:CreateAction", json!(calls))
}

/// The statement for changes of a run's own machines and images. Whether a machine is stopped is not known without a
/// cloud: a source with a billing code is captured by CreateImage, whatever `capture` says, and spot falls back to
/// on-demand.
fn change(scope: &PolicyScope) -> Statement {
    let actions = [
        "ec2:GetConsoleOutput",
        "ec2:GetInstanceUefiData",
        "ec2:ModifyImageAttribute",
        "ec2:ModifyInstanceAttribute",
        "ec2:RebootInstances",
        "ec2:StopInstances",
    ];
    let own = ["instance/*", "image/*"].map(|name| scope.ec2(&scope.region, name));
    Statement::new("Change", actions, own).of_a_run()
}

fn tagged(scope: &PolicyScope) -> Vec<String> {
    let kinds = ["instance/*", "volume/*", "key-pair/*", "security-group/*", "snapshot/*", "image/*"];
    kinds.iter().map(|name| scope.ec2("*", name)).collect()
}

fn undo(own_groups: bool) -> Vec<&'static str> {
    let mut actions = vec![
        "ec2:TerminateInstances",
        "ec2:DeleteKeyPair",
        "ec2:DeleteSnapshot",
        "ec2:DeleteVolume",
        "ec2:DeregisterImage",
    ];
    if own_groups {
        actions.extend(["ec2:AuthorizeSecurityGroupIngress", "ec2:DeleteSecurityGroup"]);
    }
    actions
}

/// The statement for parameters that name a source.
fn parameters(outlines: &[Outline], scope: &PolicyScope) -> Statement {
    let named = outlines.iter().filter_map(|outline| match &outline.source {
        SourceQuery::Parameter(path) => Some(parameter(scope, &scope.region, path)),
        _ => None,
    });
    Statement::new("ReadParameter", ["ssm:GetParameter"], named)
}

/// The ARN of a parameter; public ones have no account.
pub(super) fn parameter(scope: &PolicyScope, region: &str, path: &str) -> String {
    let account = if path.starts_with("/aws/") { "" } else { &scope.account };
    format!("arn:{}:ssm:{region}:{account}:parameter/{}", scope.partition, path.trim_start_matches('/'))
}
