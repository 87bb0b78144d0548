//! User data in the form that EC2 takes it: in base64, up to a limit.

use ami_bake_core::{Error, Result};
use ami_bake_ssh::user_data;
pub(super) use ami_bake_ssh::user_data::{Installed, joins, takes_login};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// EC2's limit in bytes, before base64 (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html>).
const LIMIT: usize = 16 * 1024;

/// User data in base64 that installs the keys, joined with the manifest's own.
pub(super) fn with_keys(keys: Installed<'_>, own: Option<&str>) -> Result<String> {
    encode(&user_data::with_keys(keys, own)?, " together with the machine's host key")
}

/// User data in base64 that runs a shell script early in each boot, joined with the manifest's own.
pub(super) fn with_boot_hook(script: &str, own: Option<&str>) -> Result<String> {
    encode(&user_data::with_boot_hook(script, own), " together with the machine's self-termination timer")
}

/// The manifest's own user data, in base64.
pub(super) fn plain(own: &str) -> Result<String> {
    encode(own, "")
}

fn encode(data: &str, with: &str) -> Result<String> {
    if data.len() > LIMIT {
        return Err(Error::manifest(format!("the user data has {} bytes{with}; the limit is {LIMIT}", data.len()))
            .help("Move work to build steps, which have no limit, or `#include` a URL in the user data."));
    }
    Ok(STANDARD.encode(data))
}

#[cfg(test)]
mod tests {
    use ami_bake_ssh::{Key, KeyType};

    use super::*;

    #[test]
    fn what_is_too_long_is_refused_before_the_launch() {
        let long = format!("#!/bin/sh\n{}", "x".repeat(LIMIT - 20));
        assert!(plain(&long).is_ok());
        let error = with_keys(
            Installed { hosts: &[Key::generate(KeyType::Ed25519, "host").unwrap()], login: &[] },
            Some(&long),
        )
        .unwrap_err();
        assert!(error.message().contains("together with the machine's host key; the limit is 16384"), "{error}");
    }
}
