//! Decides which private keys and credentials may be in an image.

use ami_bake_core::{Error, Result};
use globset::Glob;

/// Meaning of a private key that was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeyVerdict {
    /// The key fails the bake.
    Found,
    /// The key is allowed, or the seal removes it.
    Harmless,
    /// A package created the key at its installation, for certificates that nothing trusts: a warning, no failure.
    Warn,
}

/// Host keys of the Dropbear server, which the seal removes after the search.
const DROPBEAR_KEYS: &str = "/etc/dropbear/*_host_key";
const HOST_KEYS: &str = "/etc/ssh/ssh_host_*_key";
/// Keys of self-signed certificates that packages create when they are installed: Debian's ssl-cert, and mod_ssl of Red
/// Hat and derivatives. fwupd's key is for its own files.
const OWN: [&str; 3] =
    ["/etc/ssl/private/ssl-cert-snakeoil.key", "/etc/pki/tls/private/localhost.key", "/var/lib/fwupd/pki/secret.key"];

/// The meaning of a private key at a path.
///
/// # Errors
/// When a pattern is invalid; the error names it.
pub(super) fn classify(path: &str, allow: &[String]) -> Result<KeyVerdict> {
    if OWN.contains(&path) && !matches_any(path, allow)? {
        return Ok(KeyVerdict::Warn);
    }
    // Removed after the search, or meant to be in the image because of `seal.keep: [host-keys]`.
    let host_keys = matches(path, HOST_KEYS)? || matches(path, DROPBEAR_KEYS)?;
    Ok(if host_keys || matches_any(path, allow)? { KeyVerdict::Harmless } else { KeyVerdict::Found })
}

/// True for a path that matches one of the patterns in `seal.allow`.
///
/// # Errors
/// When a pattern is invalid; the error names it.
pub(super) fn matches_any(path: &str, patterns: &[String]) -> Result<bool> {
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
        let verdict = |path: &str| classify(path, &allow).unwrap();
        assert_eq!(verdict("/etc/nginx/tls/a.key"), KeyVerdict::Harmless);
        assert_eq!(verdict("/etc/nginx/tls/a.pem"), KeyVerdict::Found);
        assert_eq!(verdict("/etc/ssh/ssh_host_ed25519_key"), KeyVerdict::Harmless);
        assert_eq!(verdict("/etc/dropbear/dropbear_rsa_host_key"), KeyVerdict::Harmless);
        assert_eq!(verdict("/root/.ssh/id_ed25519"), KeyVerdict::Found);
        assert_eq!(verdict("/etc/ssl/private/ssl-cert-snakeoil.key"), KeyVerdict::Warn);
        assert!(classify("/x", &["{a".to_owned()]).unwrap_err().message().contains("`{a` under `seal.allow`"));
    }
}
