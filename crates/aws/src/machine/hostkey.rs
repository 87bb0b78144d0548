//! Reads a machine's host key from its serial console.

use std::time::Duration;

use ami_bake_core::console::host_keys;
use ami_bake_core::{Error, Result, Run};
use ami_bake_ssh::{HostKey, PublicKey};

use super::console::decode;
use crate::client::Client;

const PAUSE: Duration = Duration::from_secs(2);

/// Waits until the console shows the host keys, and returns the preferred one.
pub(super) async fn from_console(client: &Client, run: &Run, id: &str, limit: Duration) -> Result<HostKey> {
    let start = run.clock().elapsed();
    loop {
        let request = client.ec2.get_console_output().instance_id(id).latest(true).send();
        match client.ask("GetConsoleOutput", request).await {
            Ok(answer) => {
                if let Some(keys) = known(&decode(answer.output()))? {
                    return Ok(keys);
                }
            }
            // Only Nitro supports reading the newest output; on Xen it appears a few minutes after the boot.
            Err(failure) if failure.is(&["UnsupportedOperation"]) => {
                let request = client.ec2.get_console_output().instance_id(id).send();
                let answer = client.call("GetConsoleOutput", &format!("read the console of {id}"), request).await?;
                if let Some(keys) = known(&decode(answer.output()))? {
                    return Ok(keys);
                }
            }
            Err(failure) if failure.not_found() || failure.unknown() => {}
            Err(failure) => return Err(client.explain(*failure, &format!("read the console of {id}")).await),
        }
        if run.clock().elapsed().saturating_sub(start) > limit {
            return Err(Error::build(format!("no SSH host key on the console of {id}")).help(
                "Only cloud-init prints it. Set the key with `connect: {host-key: \"ssh-ed25519 …\"}`, or use `accept-new` to \
                 trust the first key.",
            ));
        }
        run.sleep(PAUSE).await?;
    }
}

/// The host keys that the console shows, if it does already. A server that forbids the type of one has another.
fn known(console: &str) -> Result<Option<HostKey>> {
    let keys: Vec<PublicKey> = host_keys(console).into_iter().map(PublicKey::parse).collect::<Result<_>>()?;
    Ok((!keys.is_empty()).then_some(HostKey::OneOf(keys)))
}
