//! Which private keys may be in an image.

use ami_bake_core::{Error, Result};
use globset::Glob;

/// What a found key means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeyVerdict {
    /// It fails the bake.
    Found,
    /// It is allowed, or the seal removes it.
    Harmless,
    /// Created by a package at its installation, for certificates that nothing trusts: a warning, not a failure.
    Warn,
}

/// What the seal removes: the server's own keys, and cloud-init's copies of the user data that may bring them.
const SEALED: [&str; 4] =
    ["/var/lib/cloud/instance/**", "/var/lib/cloud/instances/**", "/var/lib/cloud/data/**", "/etc/dropbear/*_host_key"];
const HOST_KEYS: &str = "/etc/ssh/ssh_host_*_key";
/// Keys of self-signed certificates that Debian's ssl-cert, and mod_ssl of Red Hat's kin, make when they are installed;
/// fwupd's is for its own files.
const OWN: [&str; 3] =
    ["/etc/ssl/private/ssl-cert-snakeoil.key", "/etc/pki/tls/private/localhost.key", "/var/lib/fwupd/pki/secret.key"];

/// What a private key at a path means.
///
/// # Errors
/// Names the pattern that can't be read.
pub(super) fn classify(path: &str, allow: &[String], host_keys_stay: bool) -> Result<KeyVerdict> {
    if OWN.contains(&path) && !matches_any(path, allow)? {
        return Ok(KeyVerdict::Warn);
    }
    let ssh = if host_keys_stay { false } else { matches(path, HOST_KEYS)? };
    let sealed = SEALED.iter().try_fold(ssh, |found, pattern| Ok::<_, Error>(found || matches(path, pattern)?))?;
    // `seal.keep: [host-keys]` says that they belong into the image.
    let kept = host_keys_stay && matches(path, HOST_KEYS)?;
    Ok(if sealed || kept || matches_any(path, allow)? { KeyVerdict::Harmless } else { KeyVerdict::Found })
}

fn matches_any(path: &str, patterns: &[String]) -> Result<bool> {
    patterns.iter().try_fold(false, |found, pattern| Ok(found || matches(path, pattern)?))
}

fn matches(path: &str, pattern: &str) -> Result<bool> {
    let glob =
        globset::GlobBuilder::new(pattern).literal_separator(true).build().map(|glob: Glob| glob.compile_matcher());
    let glob = glob.map_err(|error| {
        Error::manifest(format!("`{pattern}` under `seal.allow` is not a valid path pattern: {error}"))
            .help("Write absolute paths with `*`, `**` and `?`, such as `/etc/nginx/**/*.key`.")
    })?;
    Ok(glob.is_match(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_and_what_the_seal_takes_is_harmless() {
        let allow = ["/etc/nginx/**/*.key".to_owned()];
        let verdict = |path: &str, stay: bool| classify(path, &allow, stay).unwrap();
        assert_eq!(verdict("/etc/nginx/tls/a.key", false), KeyVerdict::Harmless);
        assert_eq!(verdict("/etc/nginx/tls/a.pem", false), KeyVerdict::Found);
        assert_eq!(verdict("/etc/ssh/ssh_host_ed25519_key", false), KeyVerdict::Harmless);
        assert_eq!(verdict("/etc/ssh/ssh_host_ed25519_key", true), KeyVerdict::Harmless);
        assert_eq!(verdict("/var/lib/cloud/instances/i-1/user-data.txt", false), KeyVerdict::Harmless);
        assert_eq!(verdict("/root/.ssh/id_ed25519", false), KeyVerdict::Found);
        assert_eq!(verdict("/etc/ssl/private/ssl-cert-snakeoil.key", false), KeyVerdict::Warn);
        assert!(classify("/x", &["{a".to_owned()], false).unwrap_err().message().contains("`{a` under `seal.allow`"));
    }
}
