//! One question, and what the answer says.

use std::future::Future;

use ami_bake_core::Result;
use ami_bake_core::platform::Permission;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::client::{Client, Failure, service};

/// Asks for one action and reads the refusal. A service without dry runs is asked for something that changes nothing.
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

/// An action that can't be asked for without doing it.
pub(super) fn unasked(client: &Client, action: &'static str, why: &str) -> Permission {
    Permission { action: named(client, action), allowed: None, detail: Some(why.to_owned()) }
}

/// `ec2:CopySnapshot`, and whose it is in another account.
fn named(client: &Client, action: &str) -> String {
    let of = client.account().map(|account| format!(" in {account}")).unwrap_or_default();
    format!("{}:{action}{of}", service(action))
}

/// What a refusal says of an action.
///
/// # Errors
/// When the request was lost or throttled: that is not an answer, and must not count as a permission.
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
    // It was allowed to learn that.
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
