//! A temporary role and instance profile for the manifest's `policy`.

use ami_bake_core::{Error, Result, Run};
use aws_sdk_iam::types::Tag;
use serde_json::json;

use super::machines::Machines;
use crate::client::identity::{Partition, ec2_service};
use crate::client::ledger::{IAM_PATH, INSTANCE_PROFILE, PLATFORM, ROLE};
use crate::client::{Client, Failure, hash, until_visible};
use crate::image::{LIFETIME, created};

/// Name of the role's only inline policy.
pub(super) const POLICY: &str = "ami-bake";
/// The role's trust policy: EC2, by its service principal in the partition.
fn trust(region: &str) -> String {
    let service = ec2_service(Partition::of_region(region).as_str());
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    })
    .to_string()
}

/// Name of the profile that grants `policy`, created once per run.
pub(super) async fn temporary(machines: &Machines, run: &Run, policy: &str) -> Result<String> {
    if serde_json::from_str::<serde_json::Value>(policy).is_err() {
        return Err(Error::manifest("`machine.policy` is not a JSON document")
            .help("Use an IAM policy document, or the path of a file with one."));
    }
    let state = machines.runs.of(run);
    state.profiles.get(policy.to_owned(), Box::pin(create(machines.client(), run, policy))).await
}

async fn create(client: &Client, run: &Run, policy: &str) -> Result<String> {
    let iam = &client.iam;
    // IAM allows 64 characters.
    let name: String = format!("ami-bake-{}-{}", run.id(), hash(policy, 6)).chars().take(64).collect();
    let tags = tags(run, &name)?;

    let role = async {
        let ticket = run.ledger().intend(PLATFORM, ROLE, None, &name)?;
        let request = iam
            .create_role()
            .role_name(&name)
            .path(IAM_PATH)
            .assume_role_policy_document(trust(client.region()))
            .description("Created by ami-bake for one bake")
            .set_tags(Some(tags.clone()))
            .send();
        match client.ask("CreateRole", request).await {
            Ok(_) => run.ledger().confirm(ticket, &name),
            Err(failure) if exists(&failure) => run.ledger().confirm(ticket, &name),
            Err(failure) => {
                return Err(client.not_created(run, ticket, *failure, &format!("create the role {name}")).await);
            }
        }
        let doing = format!("attach `machine.policy` to the role {name}");
        let put = || {
            let request = iam.put_role_policy().role_name(&name).policy_name(POLICY).policy_document(policy).send();
            client.ask("PutRolePolicy", request)
        };
        match until_visible(run, Failure::not_found, put).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.is(&["MalformedPolicyDocument"]) => {
                Err(Error::preflight(format!("could not {doing}: {}", failure.text()))
                    .help("Correct the policy document under `machine: {policy: …}`."))
            }
            Err(failure) => Err(client.explain(*failure, &doing).await),
        }
    };
    let profile = async {
        let ticket = run.ledger().intend(PLATFORM, INSTANCE_PROFILE, None, &name)?;
        let request = iam
            .create_instance_profile()
            .instance_profile_name(&name)
            .path(IAM_PATH)
            .set_tags(Some(tags.clone()))
            .send();
        match client.ask("CreateInstanceProfile", request).await {
            Ok(_) => run.ledger().confirm(ticket, &name),
            Err(failure) if exists(&failure) => run.ledger().confirm(ticket, &name),
            Err(failure) => {
                let doing = format!("create the instance profile {name}");
                return Err(client.not_created(run, ticket, *failure, &doing).await);
            }
        }
        Ok(())
    };
    // Both run to their end: what one created must be in the ledger even if the other failed.
    let (role, profile) = futures::join!(role, profile);
    role.and(profile)?;
    let join = || {
        let request = iam.add_role_to_instance_profile().instance_profile_name(&name).role_name(&name).send();
        client.ask("AddRoleToInstanceProfile", request)
    };
    match until_visible(run, Failure::not_found, join).await {
        Ok(_) => Ok(name),
        // The profile has its one role already: ours, by its name.
        Err(failure) if failure.is(&["LimitExceeded", "LimitExceededException"]) => Ok(name),
        Err(failure) => Err(client.explain(*failure, &format!("add the role to the instance profile {name}")).await),
    }
}

fn exists(failure: &Failure) -> bool {
    failure.is(&["EntityAlreadyExists", "EntityAlreadyExistsException"])
}

fn tags(run: &Run, name: &str) -> Result<Vec<Tag>> {
    created(run, name, None, None, LIFETIME)
        .into_iter()
        .map(|(key, value)| {
            let tag = Tag::builder().key(key).value(value).build();
            tag.map_err(|error| Error::internal("could not build an IAM tag").because(error))
        })
        .collect()
}
