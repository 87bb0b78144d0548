//! Checks access to what documents use: objects, parameters, components.

use std::sync::Arc;

use ami_bake_core::platform::{Grant, Permission};
use ami_bake_core::services::ObjectPath;
use ami_bake_core::{Result, Run};
use futures::future::join_all;

use super::probe::permission;
use super::question::NAME;
use super::unasked;
use crate::client::identity::Partition;
use crate::client::{Client, Clients, Failure};
use crate::services::{AwsServices, probe_component};

/// One result for each grant.
pub(super) async fn ask(clients: &Arc<Clients>, run: &Run, grants: &[Grant]) -> Result<Vec<Permission>> {
    let services = AwsServices::new(Arc::clone(clients));
    let asked = join_all(grants.iter().map(|grant| Box::pin(one(clients, &services, run, grant)))).await;
    asked.into_iter().collect()
}

async fn one(clients: &Arc<Clients>, services: &AwsServices, run: &Run, grant: &Grant) -> Result<Permission> {
    let home = clients.home();
    let partition = Partition::of_region(home.region()).as_str();
    let name = format!("{} on arn:{partition}:{}", grant.action, grant.resource);
    let unasked = |why: &str| Permission { action: name.clone(), allowed: None, detail: Some(why.to_owned()) };
    let resource = grant.resource.as_str();
    let answer = match grant.action {
        "s3:GetObject" | "s3:ListBucket" => {
            let Some(at) = object(resource) else {
                return Ok(unasked("the bucket is only known on the machine"));
            };
            if grant.action == "s3:GetObject" {
                // Reads only the first byte; a missing object answers the question, too.
                services
                    .ask_for(run, "GetObject", &at, |s3| {
                        s3.get_object().bucket(&at.bucket).key(&at.key).range("bytes=0-0").send()
                    })
                    .await?
                    .map(|_| ())
            } else {
                services
                    .ask_for(run, "ListBucket", &at, |s3| s3.list_objects_v2().bucket(&at.bucket).max_keys(1).send())
                    .await?
                    .map(|_| ())
            }
        }
        "ssm:GetParameter" => {
            let Some(name) = parameter(resource) else {
                return Ok(unasked("the parameter is only known on the machine"));
            };
            let request = home.ssm.get_parameter().name(name).send();
            run.until_cancelled(home.ask("GetParameter", request)).await?.map(|_| ())
        }
        "imagebuilder:GetComponent" => {
            let Some((region, arn)) = component(partition, resource) else {
                return Ok(unasked("the component is only known on the machine"));
            };
            let client = clients.in_region(&region);
            run.until_cancelled(client.ask("GetComponent", probe_component(&client, &arn))).await?
        }
        action => return Ok(unasked(unasked::why(action).unwrap_or(unasked::UNKNOWN))),
    };
    match answer {
        Ok(()) => Ok(Permission { action: name, allowed: Some(true), detail: None }),
        Err(failure) => answered(home, &name, partition, grant, *failure).await,
    }
}

async fn answered(home: &Client, name: &str, partition: &str, grant: &Grant, failure: Failure) -> Result<Permission> {
    let there = |allowed, detail| Ok(Permission { action: name.to_owned(), allowed, detail });
    if failure.is(&["NoSuchKey", "InvalidRange"]) || (failure.not_found() && !grant.action.starts_with("s3:")) {
        // The role was allowed to learn that the object is missing.
        return there(Some(true), None);
    }
    // Without s3:ListBucket, S3 does not report that an object is missing.
    let guessed = grant.resource.contains('*');
    if grant.action == "s3:GetObject"
        && (failure.missing() == Some("s3:ListBucket") || (guessed && failure.is_denied()))
    {
        return there(
            None,
            Some("S3 only answers for an object that exists, or where s3:ListBucket is allowed".to_owned()),
        );
    }
    permission(home, name.to_owned(), failure.on(partition, &grant.resource)).await
}

/// The object to check for a grant, with a name in place of each `*` in the key; `None` if the bucket is unknown.
fn object(resource: &str) -> Option<ObjectPath> {
    let (bucket, key) = resource.strip_prefix("s3:::").map(|at| at.split_once('/').unwrap_or((at, "")))?;
    let at = ObjectPath { bucket: bucket.to_owned(), key: key.replace('*', NAME), owner: None };
    (!bucket.contains('*')).then_some(at)
}

/// The name of a parameter from `ssm:REGION:ACCOUNT:parameter/NAME`.
fn parameter(resource: &str) -> Option<String> {
    let (_, name) = resource.split_once(":parameter/")?;
    if name.starts_with('*') {
        return None;
    }
    let name = name.replace('*', NAME);
    Some(if name.contains('/') { format!("/{name}") } else { name })
}

/// Region and ARN of a component in a grant, whose version may be `*`.
fn component(partition: &str, resource: &str) -> Option<(String, String)> {
    let region = resource.split(':').nth(1)?.to_owned();
    let (name, version) = resource.rsplit_once(":component/")?.1.split_once('/')?;
    let version = match version {
        "*" => "x.x.x",
        version => version.trim_end_matches('*'),
    };
    if region.contains('*') || name.contains('*') {
        return None;
    }
    let before = resource.split_once(":component/")?.0;
    Some((region, format!("arn:{partition}:{before}:component/{name}/{version}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_asked_for_by_something_that_it_covers() {
        let shown = |resource: &str| object(resource).map(|at| at.to_string());
        assert_eq!(shown("s3:::b/a/*").as_deref(), Some("s3://b/a/ami-bake-dry-run"));
        assert_eq!(shown("s3:::b").as_deref(), Some("s3://b/"));
        assert_eq!(shown("s3:::*"), None);
        assert_eq!(parameter("ssm:*:*:parameter/app/token").as_deref(), Some("/app/token"));
        assert_eq!(parameter("ssm:*:*:parameter/token").as_deref(), Some("token"));
        assert_eq!(parameter("ssm:*:*:parameter/*"), None);
        let asked = |version: &str| component("aws", &format!("imagebuilder:eu-west-1:aws:component/web/{version}"));
        let arn = |version: &str| {
            let arn = format!("arn:aws:imagebuilder:eu-west-1:aws:component/web/{version}");
            Some(("eu-west-1".to_owned(), arn))
        };
        assert_eq!(asked("*"), arn("x.x.x"));
        assert_eq!(asked("1.0.0*"), arn("1.0.0"));
        assert_eq!(asked("1.0.0/2"), arn("1.0.0/2"));
    }
}
