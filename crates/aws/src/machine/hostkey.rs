//! Reads a machine's host key from its serial console.

use std::time::Duration;

use ami_bake_core::console::host_key;
use ami_bake_core::{Error, Result, Run};
use ami_bake_ssh::HostKey;

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
                if let Some(key) = host_key(&decode(answer.output())) {
                    return HostKey::parse(key);
                }
            }
            // Only Nitro supports reading the newest output; on Xen it appears a few minutes after the boot.
            Err(failure) if failure.is(&["UnsupportedOperation"]) => {
                let request = client.ec2.get_console_output().instance_id(id).send();
                let answer = client.call("GetConsoleOutput", &format!("read the console of {id}"), request).await?;
                if let Some(key) = host_key(&decode(answer.output())) {
                    return HostKey::parse(key);
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
