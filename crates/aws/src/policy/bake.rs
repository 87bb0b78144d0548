//! What a bake itself needs.

use ami_bake_core::plan::{CaptureMode, ImagePlan, MachineSettings, SourceQuery};
use serde_json::json;

use super::outline::Outline;
use super::scope::PolicyScope;
use super::statement::Statement;

/// Actions without a resource: Describe calls.
const READS: [&str; 14] = [
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
/// Calls that make something, each with its tags.
const CREATING: [&str; 7] = [
    "CopyImage",
    "CopySnapshot",
    "CreateImage",
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
        capture(plans, scope),
        image(scope),
        tag_at_creation(own_groups, scope),
        change(plans, &machines, scope),
        Statement::new("TagLater", ["ec2:CreateTags", "ec2:DeleteTags"], tagged(scope)).of_a_run(),
        Statement::new("Undo", undo(own_groups), tagged(scope)).of_a_run(),
    ];
    if own_groups {
        all.push(Statement::new("MakeGroup", ["ec2:CreateSecurityGroup"], [here("security-group/*")]).creating());
        all.push(Statement::new("MakeGroupIn", ["ec2:CreateSecurityGroup"], [here("vpc/*")]));
        // The interface leaves its group with the machine's end, so that the group can go.
        let moved = [here("network-interface/*"), here("security-group/*")];
        all.push(Statement::new("LeaveGroup", ["ec2:ModifyNetworkInterfaceAttribute"], moved));
    }
    if any(|machine| machine.spot) {
        all.push(Statement::anywhere("SpotPrice", ["ec2:DescribeSpotPriceHistory"]));
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

/// Resources that a launch uses but does not create.
fn launch(machines: &[&MachineSettings], scope: &PolicyScope) -> Statement {
    let here = |name: &str| scope.ec2(&scope.region, name);
    let mut used = vec![here("image/*"), here("snapshot/*"), here("key-pair/*")];
    let subnets: Vec<&String> = machines.iter().flat_map(|machine| &machine.subnets).collect();
    // Subnets that are all named by id are all that is allowed.
    let named = !subnets.is_empty() && machines.iter().all(|machine| !machine.subnets.is_empty());
    if named && subnets.iter().all(|subnet| subnet.starts_with("subnet-")) {
        used.extend(subnets.iter().map(|subnet| here(&format!("subnet/{subnet}"))));
    } else {
        used.push(here("subnet/*"));
    }
    used.push(here("security-group/*"));
    Statement::new("LaunchWith", ["ec2:RunInstances"], used)
}

fn capture(plans: &[&ImagePlan], scope: &PolicyScope) -> Statement {
    let here = |name: &str| scope.ec2(&scope.region, name);
    let lineage = plans.iter().any(|plan| plan.machine.lineage);
    // A source with a product code takes the way over CreateImage and CopyImage, whatever the manifest says.
    let actions = ["ec2:CreateSnapshots", "ec2:CreateImage"].into_iter().chain(lineage.then_some("ec2:CopySnapshot"));
    Statement::new("TakeImage", actions, ["instance/*", "volume/*", "snapshot/*", "image/*"].map(here))
}

fn image(scope: &PolicyScope) -> Statement {
    let here = |name: &str| scope.ec2(&scope.region, name);
    Statement::new("Register", ["ec2:RegisterImage", "ec2:CopyImage"], [here("image/*"), here("snapshot/*")])
}

fn tag_at_creation(own_groups: bool, scope: &PolicyScope) -> Statement {
    let calls = CREATING.iter().copied().filter(|call| own_groups || *call != "CreateSecurityGroup");
    let calls: Vec<&str> = calls.chain(["RunInstances"]).collect();
    let made =
        ["instance/*", "volume/*", "network-interface/*", "spot-instances-request/*", "key-pair/*", "security-group/*"];
    let made = made.iter().chain(&["snapshot/*", "image/*"]).map(|name| scope.ec2("*", name));
    Statement::new("TagAtCreation", ["ec2:CreateTags"], made).when("StringEquals", "ec2:CreateAction", json!(calls))
}

/// What is done to a run's own machine and image on the way.
fn change(plans: &[&ImagePlan], machines: &[&MachineSettings], scope: &PolicyScope) -> Statement {
    let stops = plans.iter().any(|plan| !plan.machine.spot && plan.settings.capture != CaptureMode::Live);
    let spot = machines.iter().any(|machine| machine.spot);
    let mut actions =
        vec!["ec2:GetConsoleOutput", "ec2:DescribeImageAttribute", "ec2:ModifyImageAttribute", "ec2:RebootInstances"];
    actions.extend(stops.then_some("ec2:StopInstances"));
    actions.extend(spot.then_some("ec2:ModifyInstanceAttribute"));
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

/// Parameters that name a source.
fn parameters(outlines: &[Outline], scope: &PolicyScope) -> Statement {
    let named = outlines.iter().filter_map(|outline| match &outline.source {
        SourceQuery::Parameter(path) => Some(parameter(scope, &scope.region, path)),
        _ => None,
    });
    Statement::new("ReadParameter", ["ssm:GetParameter"], named)
}

/// The ARN of a parameter; public ones belong to no account.
pub(super) fn parameter(scope: &PolicyScope, region: &str, path: &str) -> String {
    let account = if path.starts_with("/aws/") { "" } else { &scope.account };
    format!("arn:{}:ssm:{region}:{account}:parameter/{}", scope.partition, path.trim_start_matches('/'))
}

/// Roles: one made for the machine, and one that is given to it.
fn roles(machines: &[&MachineSettings], scope: &PolicyScope) -> Vec<Statement> {
    let arn = |name: &str| format!("arn:{}:iam::{}:{name}", scope.partition, scope.account);
    let mut all = Vec::new();
    let mut passed = Vec::new();
    let temporary = machines.iter().any(|machine| machine.policy.is_some());
    if temporary {
        let own = ["role/ami-bake-*", "instance-profile/ami-bake-*"].map(arn);
        let actions = [
            "AddRoleToInstanceProfile",
            "CreateInstanceProfile",
            "CreateRole",
            "DeleteInstanceProfile",
            "DeleteRole",
            "DeleteRolePolicy",
            "GetInstanceProfile",
            "GetRole",
            "PutRolePolicy",
            "RemoveRoleFromInstanceProfile",
            "TagInstanceProfile",
            "TagRole",
        ];
        all.push(Statement::new("MachineRole", actions.map(|action| format!("iam:{action}")), own));
        all.push(Statement::anywhere("FindMachineRoles", ["iam:ListInstanceProfiles", "iam:ListRoles"]));
        passed.push(arn("role/ami-bake-*"));
    }
    for profile in machines.iter().filter_map(|machine| machine.profile.as_deref()) {
        let name = profile.rsplit('/').next().unwrap_or(profile);
        all.push(Statement::new("ReadProfile", ["iam:GetInstanceProfile"], [arn(&format!("instance-profile/{name}"))]));
        // The profile's role may have another name, which only IAM knows.
        passed.push(arn(&format!("role/{name}")));
    }
    let service = if scope.partition == "aws-cn" { "ec2.amazonaws.com.cn" } else { "ec2.amazonaws.com" };
    all.push(Statement::new("PassRole", ["iam:PassRole"], passed).when(
        "StringEquals",
        "iam:PassedToService",
        json!(service),
    ));
    all
}

/// Customer keys of disks.
fn keys(plans: &[&ImagePlan], scope: &PolicyScope) -> Vec<Statement> {
    let disks = plans.iter().flat_map(|plan| {
        let volumes = plan.machine.volumes.iter().filter_map(|volume| volume.disk.kms_key.as_deref());
        plan.machine.disk.kms_key.as_deref().into_iter().chain(volumes)
    });
    kms(disks.map(|key| (scope.region.as_str(), key)), scope)
}

/// What EBS does with customer keys, in the caller's name (EBS: "Required permissions for encryption").
pub(super) fn kms<'a>(keys: impl IntoIterator<Item = (&'a str, &'a str)>, scope: &PolicyScope) -> Vec<Statement> {
    const USE: [&str; 5] = [
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
    ];
    let mut arns = Vec::new();
    let mut aliases = Vec::new();
    for (region, key) in keys {
        let any = || format!("arn:{}:kms:{region}:{}:key/*", scope.partition, scope.account);
        if key.starts_with("arn:") && key.contains(":key/") {
            arns.push(key.to_owned());
        } else if let Some(at) = key.find("alias/") {
            aliases.push((key[at..].to_owned(), any()));
        } else {
            arns.push(format!("arn:{}:kms:{region}:{}:key/{key}", scope.partition, scope.account));
        }
    }
    let grants = |statement: Statement| statement.when("Bool", "kms:GrantIsForAWSResource", json!("true"));
    let mut all = vec![
        Statement::new("UseKey", USE, arns.clone()),
        grants(Statement::new("GrantKey", ["kms:CreateGrant"], arns)),
    ];
    if !aliases.is_empty() {
        let names: Vec<&String> = aliases.iter().map(|(name, _)| name).collect();
        let any: Vec<String> = aliases.iter().map(|(_, any)| any.clone()).collect();
        let aliased =
            |statement: Statement| statement.when("ForAnyValue:StringEquals", "kms:ResourceAliases", json!(names));
        all.push(aliased(Statement::new("UseAliasedKey", USE, any.clone())));
        all.push(grants(aliased(Statement::new("GrantAliasedKey", ["kms:CreateGrant"], any))));
    }
    all
}
