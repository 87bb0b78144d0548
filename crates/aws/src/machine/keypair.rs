//! The run's login key: generated in memory, imported as an EC2 key pair, and deleted at the end.

use ami_bake_core::{Result, Run};
use ami_bake_ssh::Key;
use aws_sdk_ec2::types::ResourceType;
use aws_smithy_types::Blob;

use super::machines::Machines;
use crate::client::Client;
use crate::client::ledger::{KEY_PAIR, PLATFORM};
use crate::image::{LIFETIME, created, specification};

/// Name of the key pair, unique per run and region.
pub(super) fn name(run: &Run) -> String {
    format!("ami-bake-{}", run.id())
}

/// The run's login key, imported once.
pub(super) async fn login(machines: &Machines, run: &Run) -> Result<Key> {
    let state = machines.runs.of(run);
    state.key.get_or_try_init(|| import(machines.client(), run)).await.cloned()
}

async fn import(client: &Client, run: &Run) -> Result<Key> {
    let name = name(run);
    let key = Key::generate(&name)?;
    let tags = created(run, &name, None, None, LIFETIME);
    let ticket = run.ledger().intend(PLATFORM, KEY_PAIR, Some(client.region()), &name)?;
    let request = client
        .ec2
        .import_key_pair()
        .key_name(&name)
        .public_key_material(Blob::new(key.public().line()))
        .tag_specifications(specification(ResourceType::KeyPair, &tags))
        .send();
    match client.ask("ImportKeyPair", request).await {
        Ok(answer) => run.ledger().confirm(ticket, answer.key_pair_id().unwrap_or(&name)),
        // The first answer was lost, and the SDK retried: the name contains the run's random ID, so it is this key.
        Err(failure) if failure.is(&["InvalidKeyPair.Duplicate"]) => run.ledger().confirm(ticket, &name),
        Err(failure) => {
            let doing = format!("import the login key {name}");
            return Err(client.not_created(run, ticket, *failure, &doing).await);
        }
    }
    Ok(key)
}
