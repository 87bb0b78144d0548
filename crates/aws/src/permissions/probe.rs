//! Runs one check and interprets its answer.

use std::future::Future;

use ami_bake_core::Result;
use ami_bake_core::platform::Permission;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::client::{Client, Failure, service};

/// Sends one request and interprets the refusal. Services without dry runs get a request that changes nothing.
///
/// # Errors
/// When AWS did not answer.
pub(super) async fn probe<T, E>(
    client: &Client,
    action: &'static str,
    request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
) -> Result<Permission>
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    match client.ask(action, request).await {
        Ok(_) => Ok(Permission { action: named(client, action), allowed: Some(true), detail: None }),
        Err(failure) => permission(client, named(client, action), *failure).await,
    }
}

/// The result for an action that can't be checked without running it.
pub(super) fn unasked(client: &Client, action: &'static str, why: &str) -> Permission {
    Permission { action: named(client, action), allowed: None, detail: Some(why.to_owned()) }
}

/// The action for a result: `ec2:CopySnapshot`, with the account if it is another one.
fn named(client: &Client, action: &str) -> String {
    let of = client.account().map(|account| format!(" in {account}")).unwrap_or_default();
    format!("{}:{action}{of}", service(action))
}

/// Interprets a refusal.
///
/// # Errors
/// When the request was lost or throttled: that is no answer, and must not count as a permission.
pub(super) async fn permission(client: &Client, action: String, failure: Failure) -> Result<Permission> {
    if failure.is(&["DryRunOperation"]) {
        return Ok(Permission { action, allowed: Some(true), detail: None });
    }
    if failure.unknown() || failure.throttled() {
        return Err(client.explain(failure, &format!("check the permission {action}")).await);
    }
    if failure.is_denied() || failure.without_credentials() {
        let error = client.explain(failure, &format!("call {action}")).await;
        let detail = error.help_text().unwrap_or(error.message()).to_owned();
        return Ok(Permission { action, allowed: Some(false), detail: Some(detail) });
    }
    // The role was allowed to learn that the resource is missing.
    let learnt = failure.not_found() && !action.starts_with("ec2:");
    if learnt || failure.is(&["InvalidAuthorizationMessageException"]) {
        return Ok(Permission { action, allowed: Some(true), detail: None });
    }
    let detail = if failure.not_found() {
        "EC2 only answers for something that exists".to_owned()
    } else {
        format!("AWS answered {}: {}", failure.code(), failure.text())
    };
    Ok(Permission { action, allowed: None, detail: Some(detail) })
}
