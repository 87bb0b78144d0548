//! A machine's host key, read from its serial console.

use std::time::Duration;

use ami_bake_core::{Error, Result, Run};
use ami_bake_ssh::HostKey;

use super::console::decode;
use crate::client::Client;

/// cloud-init prints the keys between these lines.
const BEGIN: &str = "-----BEGIN SSH HOST KEY KEYS-----";
const END: &str = "-----END SSH HOST KEY KEYS-----";
const PAUSE: Duration = Duration::from_secs(2);

/// Waits until the console shows the host keys.
pub(super) async fn from_console(client: &Client, run: &Run, id: &str, limit: Duration) -> Result<HostKey> {
    let start = run.clock().elapsed();
    loop {
        let request = client.ec2.get_console_output().instance_id(id).latest(true).send();
        match client.ask("GetConsoleOutput", request).await {
            Ok(answer) => {
                if let Some(key) = find(&decode(answer.output())) {
                    return HostKey::parse(&key);
                }
            }
            // The newest output at any time is Nitro's alone; others show it a few minutes after the boot.
            Err(failure) if failure.is(&["UnsupportedOperation"]) => {
                let request = client.ec2.get_console_output().instance_id(id).send();
                let answer = client.call("GetConsoleOutput", &format!("read the console of {id}"), request).await?;
                if let Some(key) = find(&decode(answer.output())) {
                    return HostKey::parse(&key);
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

/// The best key of the newest block: ed25519 before all others.
fn find(console: &str) -> Option<String> {
    let (_, block) = console.rsplit_once(BEGIN)?;
    let (block, _) = block.split_once(END)?;
    let keys: Vec<&str> = block
        .lines()
        .filter_map(|line| Some(&line[line.find("ssh-").or_else(|| line.find("ecdsa-"))?..]))
        .map(str::trim)
        .collect();
    keys.iter().find(|key| key.starts_with("ssh-ed25519 ")).or(keys.first()).map(|key| (*key).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_ed25519_key_is_taken() {
        let console = format!(
            "{BEGIN}\nssh-ed25519 OLD root@a\n{END}\nreboot\r\n{BEGIN}\r\necdsa-sha2-nistp256 E root@a\r\n\
             ssh-ed25519 NEW root@a\r\n{END}\r\nlogin:"
        );
        assert_eq!(find(&console).as_deref(), Some("ssh-ed25519 NEW root@a"));
        assert_eq!(find("nothing yet"), None);
        assert_eq!(find(&format!("{BEGIN}\nssh-ed25519 HALF")), None);
    }
}
