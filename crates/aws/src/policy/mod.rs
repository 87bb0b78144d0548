//! The least that a role must be allowed for a manifest, as IAM policies.
//!
//! What a run makes carries `ami-bake:run` from its creation on, so that all that changes or deletes is allowed for such
//! things alone (Service Authorization Reference, Amazon EC2: which action takes which resource and condition).

mod bake;
mod publish;
mod statement;

use std::collections::BTreeSet;

use ami_bake_core::plan::{ImagePlan, SourceQuery};
use ami_bake_core::platform::Grant;
use serde_json::{Value, json};

pub(crate) use statement::Statement;

/// Where the role is and works; `*` stands for what is not known.
#[derive(Debug, Clone)]
pub struct Where {
    /// The partition.
    pub partition: String,
    /// The account's 12 digits.
    pub account: String,
    /// The home region.
    pub region: String,
}

impl Where {
    /// The place of a role, where it is known, and a region.
    pub fn of(role: Option<&str>, region: &str) -> Self {
        let role = role.and_then(|role| crate::RoleArn::parse(role).ok());
        Self {
            partition: crate::identity::Partition::of_region(region).as_str().to_owned(),
            account: role.map_or_else(|| "*".to_owned(), |role| role.account().to_owned()),
            region: region.to_owned(),
        }
    }

    /// The ARN of something in EC2. Images and snapshots have no account in theirs.
    fn ec2(&self, region: &str, name: &str) -> String {
        let account = if name.starts_with("image/") || name.starts_with("snapshot/") { "" } else { &self.account };
        format!("arn:{}:ec2:{region}:{account}:{name}", self.partition)
    }
}

/// An image as far as it is known without a cloud, planned for two versions: what differs by the version becomes a
/// pattern.
#[derive(Debug, Clone)]
pub struct Outline {
    /// What it is built from.
    pub source: SourceQuery,
    /// Planned for one version.
    pub plan: ImagePlan,
    /// Planned for another one.
    pub other: ImagePlan,
}

/// The policy of the role that bakes; `grants` are what the steps' documents use.
pub fn policy(plans: &[Outline], grants: &[Grant], place: &Where) -> Value {
    document(at_home(plans, grants, place))
}

/// The statements of the role that bakes.
pub(crate) fn at_home(plans: &[Outline], grants: &[Grant], place: &Where) -> Vec<Statement> {
    let mut statements = bake::statements(plans, place);
    statements.extend(publish::at_home(plans, place));
    statements.extend(documents(grants, place));
    statements
}

/// The statements of a role in another account.
pub(crate) fn elsewhere(plans: &[Outline], role: &str, place: &Where) -> Vec<Statement> {
    publish::elsewhere(plans, role, place)
}

/// The regions besides this one that images are copied to in the own account.
pub(crate) fn copied(plans: &[Outline], home: &str) -> BTreeSet<String> {
    let regions = plans.iter().flat_map(|one| &one.plan.settings.distribution.regions);
    regions.map(|region| region.region.clone()).filter(|region| region != home).collect()
}

/// What documents use, a statement for each action.
fn documents(grants: &[Grant], place: &Where) -> Vec<Statement> {
    let name = |action: &str| match action {
        "imagebuilder:GetComponent" => "DocumentsGetComponent",
        "s3:GetObject" => "DocumentsGetObject",
        "s3:ListBucket" => "DocumentsListBucket",
        "s3:PutObject" => "DocumentsPutObject",
        "ssm:GetParameter" => "DocumentsGetParameter",
        _ => "Documents",
    };
    let actions: BTreeSet<&'static str> = grants.iter().map(|grant| grant.action).collect();
    let of = |action: &'static str| {
        let arn = |grant: &Grant| format!("arn:{}:{}", place.partition, grant.resource);
        grants.iter().filter(move |grant| grant.action == action).map(arn)
    };
    actions.into_iter().map(|action| Statement::new(name(action), [action], of(action))).collect()
}

/// The policy of a role in another account that images are published to, or deployed under; none where nothing is.
pub fn policy_of_target(plans: &[Outline], role: &str, place: &Where) -> Option<Value> {
    let statements = elsewhere(plans, role, place);
    statements.iter().any(|one| !one.is_empty()).then(|| document(statements))
}

/// The roles that the manifest assumes besides its own.
pub fn targets(plans: &[Outline]) -> Vec<String> {
    let mut roles: Vec<String> = Vec::new();
    for Outline { plan, .. } in plans {
        let of_targets = plan.settings.distribution.targets.iter().map(|target| &target.role);
        let of_deployments = plan.settings.deployments.iter().filter_map(|deployment| deployment.role.as_ref());
        roles.extend(of_targets.chain(of_deployments).cloned());
    }
    roles.sort();
    roles.dedup();
    roles
}

fn document(statements: Vec<Statement>) -> Value {
    let statements: Vec<Value> =
        statements.into_iter().filter(|one| !one.is_empty()).map(Statement::into_value).collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// What two texts have in common at their ends, with `*` for what differs.
fn pattern(one: &str, other: &str) -> String {
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

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
