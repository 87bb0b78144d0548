//! The run's login key: made in memory, its public half imported, gone at the end.

use ami_bake_core::ledger::Closed;
use ami_bake_core::{Result, Run};
use ami_bake_ssh::Key;
use aws_sdk_ec2::types::ResourceType;
use aws_smithy_types::Blob;

use super::tags::{LIFETIME, created, specification};
use crate::platform::{Inner, PLATFORM};

/// Its name in EC2, one for each run and region.
pub(super) fn name(run: &Run) -> String {
    format!("ami-bake-{}", run.id())
}

/// The run's key, imported once.
pub(super) async fn login(aws: &Inner, run: &Run) -> Result<Key> {
    let shared = aws.shared.of(run);
    shared.key.get_or_try_init(|| import(aws, run)).await.cloned()
}

async fn import(aws: &Inner, run: &Run) -> Result<Key> {
    let name = name(run);
    let client = &aws.client;
    let key = Key::generate(&name)?;
    let tags = created(run, &name, None, None, LIFETIME);
    let ticket = run.ledger().intend(PLATFORM, "key-pair", Some(client.region()), &name)?;
    let request = client
        .ec2
        .import_key_pair()
        .key_name(&name)
        .public_key_material(Blob::new(key.public().line()))
        .tag_specifications(specification(ResourceType::KeyPair, &tags))
        .send();
    match client.ask("ImportKeyPair", request).await {
        Ok(answer) => run.ledger().confirm(ticket, answer.key_pair_id().unwrap_or(&name))?,
        // The first answer was lost, and the SDK asked again: the name holds the run's random id, so it is this key.
        Err(failure) if failure.is(&["InvalidKeyPair.Duplicate"]) => run.ledger().confirm(ticket, &name)?,
        Err(failure) => {
            if !failure.unknown() {
                run.ledger().close(ticket, Closed::Refused)?;
            }
            return Err(client.explain(*failure, &format!("import the login key {name}")).await);
        }
    }
    Ok(key)
}
