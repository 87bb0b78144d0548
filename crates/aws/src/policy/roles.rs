//! Policy statements for IAM roles and KMS keys: roles of machines, service-linked roles, and keys of disks.

use ami_bake_core::plan::{ImagePlan, MachineSettings};
use serde_json::json;

use super::scope::PolicyScope;
use super::statement::Statement;
use crate::client::identity::ec2_service;
use crate::client::ledger::IAM_PATH;

/// Statements for spot machines: prices, and the role that EC2 creates at an account's first request (EC2 user guide,
/// "Service-linked role for Spot Instance requests").
pub(super) fn spot(scope: &PolicyScope) -> [Statement; 3] {
    [
        Statement::anywhere("SpotPrice", ["ec2:DescribeSpotPriceHistory"]),
        linked_role("SpotRole", "spot.amazonaws.com", scope),
        find_linked_role("FindSpotRole", "spot.amazonaws.com", SPOT_ROLE, scope),
    ]
}

/// The statement for checking whether a service-linked role exists.
pub(super) fn find_linked_role(sid: &'static str, service: &str, role: &str, scope: &PolicyScope) -> Statement {
    // For a role that does not exist, IAM does not know the path.
    let found = [format!("aws-service-role/{service}/{role}"), role.to_owned()];
    let arns = found.map(|name| format!("arn:{}:iam::{}:role/{name}", scope.partition, scope.account));
    Statement::new(sid, ["iam:GetRole"], arns)
}

/// Name of Auto Scaling's service-linked role.
pub(crate) const GROUP_ROLE: &str = "AWSServiceRoleForAutoScaling";
/// Name of EC2's service-linked role for spot machines.
pub(crate) const SPOT_ROLE: &str = "AWSServiceRoleForEC2Spot";

/// The statement for creating a service-linked role, restricted to this service.
pub(super) fn linked_role(sid: &'static str, service: &str, scope: &PolicyScope) -> Statement {
    let role = format!("arn:{}:iam::{}:role/aws-service-role/{service}/*", scope.partition, scope.account);
    Statement::new(sid, ["iam:CreateServiceLinkedRole"], [role]).when(
        "StringEquals",
        "iam:AWSServiceName",
        json!(service),
    )
}

/// Statements for machine roles: temporary ones, and existing ones that are passed to machines.
pub(super) fn roles(machines: &[&MachineSettings], scope: &PolicyScope) -> Vec<Statement> {
    let arn = |name: &str| format!("arn:{}:iam::{}:{name}", scope.partition, scope.account);
    // A sweep looks for roles that an earlier manifest left.
    let mut all = vec![Statement::anywhere("FindMachineRoles", ["iam:ListInstanceProfiles", "iam:ListRoles"])];
    let mut passed = Vec::new();
    let temporary = machines.iter().any(|machine| machine.policy.is_some());
    if temporary {
        // For a role that does not exist IAM does not know the path: without the second pair it would answer
        // AccessDenied, not NoSuchEntity.
        let own = ["role", "instance-profile"].map(|kind| [format!("{kind}{IAM_PATH}*"), format!("{kind}/ami-bake-*")]);
        let own = own.as_flattened().iter().map(|name| arn(name));
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
        passed.push(arn(&format!("role{IAM_PATH}*")));
    }
    for profile in machines.iter().filter_map(|machine| machine.profile.as_deref()) {
        let name = profile.rsplit('/').next().unwrap_or(profile);
        // Each may have a path. The profile's role may have another name, too, which only IAM knows.
        let either = |kind: &str| [format!("{kind}/{name}"), format!("{kind}/*/{name}")].map(|name| arn(&name));
        all.push(Statement::new("ReadProfile", ["iam:GetInstanceProfile"], either("instance-profile")));
        passed.extend(either("role"));
    }
    all.push(Statement::new("PassRole", ["iam:PassRole"], passed).when(
        "StringEquals",
        "iam:PassedToService",
        json!(ec2_service(&scope.partition)),
    ));
    all
}

/// Statements for customer keys of disks.
pub(super) fn keys(plans: &[&ImagePlan], scope: &PolicyScope) -> Vec<Statement> {
    let disks = plans.iter().flat_map(|plan| {
        let volumes = plan.machine.volumes.iter().filter_map(|volume| volume.disk.kms_key.as_deref());
        plan.machine.disk.kms_key.as_deref().into_iter().chain(volumes)
    });
    kms(disks.map(|key| (scope.region.as_str(), key)), scope)
}

/// Actions of EBS on customer keys, with the caller's permissions (EBS: "Required permissions for encryption").
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
