//! The run's login keys: generated in memory, deleted at the end of the run.

use ami_bake_core::plan::MachineSettings;
use ami_bake_core::{Result, Run};
use ami_bake_ssh::{Key, KeyType};
use aws_sdk_ec2::types::ResourceType;
use aws_smithy_types::Blob;

use super::access::key_type;
use super::machines::Machines;
use crate::client::Client;
use crate::client::ledger::{KEY_PAIR, PLATFORM};
use crate::image::{LIFETIME, created, specification};

/// The login keys of a machine, which the bake generates.
#[derive(Debug, Clone)]
pub(super) struct LoginKeys {
    /// The key that EC2 installs.
    pub(super) imported: Key,
    /// Keys of other types, for machines that accept no other. EC2 imports one key, and none of ECDSA
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ImportKeyPair.html>): user data installs these.
    pub(super) others: Vec<Key>,
}

/// The name of a key pair in EC2, one for each run, region and type.
fn name(run: &Run, kind: KeyType) -> String {
    match kind {
        KeyType::Rsa => format!("ami-bake-{}-rsa", run.id()),
        KeyType::Ed25519 | KeyType::Ecdsa => format!("ami-bake-{}", run.id()),
    }
}

/// The run's keys for a machine with these settings; each is generated once.
pub(super) async fn login(machines: &Machines, run: &Run, settings: &MachineSettings) -> Result<LoginKeys> {
    let state = machines.runs.of(run);
    let wanted = settings.connect.key_type.map(key_type);
    let key = async |kind| {
        let comment = name(run, kind);
        state.keys.get(kind, async move { Key::generate(kind, &comment) }).await
    };
    let imported = key(if wanted == Some(KeyType::Rsa) { KeyType::Rsa } else { KeyType::Ed25519 }).await?;
    let others = match wanted {
        None => vec![key(KeyType::Ecdsa).await?, key(KeyType::Rsa).await?],
        Some(KeyType::Ecdsa) => vec![key(KeyType::Ecdsa).await?],
        Some(KeyType::Ed25519 | KeyType::Rsa) => Vec::new(),
    };
    Ok(LoginKeys { imported, others })
}

/// Imports the key pair into EC2, once for each run and region, and returns its name.
pub(super) async fn imported(machines: &Machines, run: &Run, keys: &LoginKeys) -> Result<String> {
    let state = machines.runs.of(run);
    let kind = keys.imported.public().kind().unwrap_or(KeyType::Ed25519);
    let name = name(run, kind);
    state.imported.get(kind, import(machines.client(), run, &keys.imported, &name)).await?;
    Ok(name)
}

async fn import(client: &Client, run: &Run, key: &Key, name: &str) -> Result<()> {
    let tags = created(run, name, None, None, LIFETIME);
    let ticket = run.ledger().intend(PLATFORM, KEY_PAIR, Some(client.region()), name)?;
    let request = client
        .ec2
        .import_key_pair()
        .key_name(name)
        .public_key_material(Blob::new(key.public().line()))
        .tag_specifications(specification(ResourceType::KeyPair, &tags))
        .send();
    match client.ask("ImportKeyPair", request).await {
        Ok(answer) => run.ledger().confirm(ticket, answer.key_pair_id().unwrap_or(name)),
        // The first answer was lost, and the SDK asked again: the name contains the run's random ID, so it is this key.
        Err(failure) if failure.is(&["InvalidKeyPair.Duplicate"]) => run.ledger().confirm(ticket, name),
        Err(failure) => {
            let doing = format!("import the login key {name}");
            return Err(client.not_created(run, ticket, *failure, &doing).await);
        }
    }
    Ok(())
}
