//! Builds policy documents from the statements for each part of a run.

use std::collections::BTreeSet;

use ami_bake_core::platform::Grant;
use serde_json::{Value, json};

use super::outline::Outline;
use super::scope::PolicyScope;
use super::statement::Statement;
use super::{bake, publish};

/// The policy of the role that bakes; `grants` are the accesses of the steps' documents.
pub fn policy(plans: &[Outline], grants: &[Grant], scope: &PolicyScope) -> Value {
    document(at_home(plans, grants, scope))
}

/// The statements of the role that bakes.
pub(crate) fn at_home(plans: &[Outline], grants: &[Grant], scope: &PolicyScope) -> Vec<Statement> {
    let mut statements = bake::statements(plans, scope);
    statements.extend(publish::at_home(plans, scope));
    statements.extend(documents(grants, scope));
    statements
}

/// The statements of a role in another account.
pub(crate) fn elsewhere(plans: &[Outline], role: &str, scope: &PolicyScope) -> Vec<Statement> {
    publish::elsewhere(plans, role, scope)
}

/// Statements for the accesses of component documents, one per action.
fn documents(grants: &[Grant], scope: &PolicyScope) -> Vec<Statement> {
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
        let arn = |grant: &Grant| format!("arn:{}:{}", scope.partition, grant.resource);
        grants.iter().filter(move |grant| grant.action == action).map(arn)
    };
    actions.into_iter().map(|action| Statement::new(name(action), [action], of(action))).collect()
}

/// The policy of a role in another account that images are published to or deployed in; `None` if the role is not used.
pub fn policy_of_target(plans: &[Outline], role: &str, scope: &PolicyScope) -> Option<Value> {
    let statements = elsewhere(plans, role, scope);
    statements.iter().any(|one| !one.is_empty()).then(|| document(statements))
}

fn document(statements: Vec<Statement>) -> Value {
    let statements: Vec<Value> =
        statements.into_iter().filter(|one| !one.is_empty()).map(Statement::into_value).collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}
