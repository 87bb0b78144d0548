//! User data for cloud-init: the machine's temporary host key, joined with the manifest's own user data.

use std::fmt::Write as _;

use ami_bake_core::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;

use crate::key::{Key, KeyType};

/// MIME boundary, which does not occur in a script or a configuration by chance.
const BOUNDARY: &str = "==ami-bake-7d0c1e5b==";

/// First characters of each kind of user data and its MIME type in cloud-init
/// (<https://docs.cloud-init.io/en/latest/explanation/format.html>).
const KINDS: &[(&str, &str)] = &[
    ("#cloud-config-archive", "text/cloud-config-archive"),
    ("#cloud-config", "text/cloud-config"),
    ("#cloud-boothook", "text/cloud-boothook"),
    ("#include-once", "text/x-include-once-url"),
    ("#include", "text/x-include-url"),
    ("#part-handler", "text/part-handler"),
    ("## template: jinja", "text/jinja2"),
    ("#!", "text/x-shellscript"),
];

/// True when the host key can be added to this user data: cloud-init reads both. Ignition, Windows and others only read
/// their own format.
pub fn joins(own: Option<&str>) -> bool {
    own.is_none_or(|own| own.trim().is_empty() || kind(own).is_some() || is_mime(own))
}

/// The keys that the bake's own part of the user data installs.
#[derive(Debug, Clone, Copy)]
pub struct Installed<'a> {
    /// The machine's only host keys, of different types.
    pub hosts: &'a [Key],
    /// Login keys besides those that the platform installs.
    pub login: &'a [Key],
}

/// User data that installs the keys, joined with the manifest's own.
///
/// # Errors
/// When a key can't be encoded, which is a bug.
pub fn with_keys(keys: Installed<'_>, own: Option<&str>) -> Result<String> {
    Ok(joined("text/cloud-config", config(keys)?, own))
}

/// User data that runs a shell script early in each boot, joined with the manifest's own.
pub fn with_boot_hook(script: &str, own: Option<&str>) -> String {
    joined("text/cloud-boothook", format!("#cloud-boothook\n#!/bin/sh\n{script}"), own)
}

/// A part of ours with the manifest's own user data, if there is any.
fn joined(kind: &str, ours: String, own: Option<&str>) -> String {
    match own.filter(|own| !own.trim().is_empty()) {
        None => ours,
        Some(own) => join(&part(kind, &ours), own),
    }
}

/// True if login keys can be installed beside this user data: of two lists in cloud-config parts, one is lost.
pub fn takes_login(own: Option<&str>) -> bool {
    joins(own) && own.is_none_or(|own| !own.contains("ssh_authorized_keys"))
}

/// The cloud-config with the keys: cloud-init writes the host keys given here and generates no others.
fn config(keys: Installed<'_>) -> Result<String> {
    let mut text = String::from("#cloud-config\n");
    if !keys.hosts.is_empty() {
        text.push_str("ssh_deletekeys: true\nssh_keys:\n");
    }
    for key in keys.hosts {
        let public = key.public();
        let name = match public.kind() {
            Some(KeyType::Rsa) => "rsa",
            Some(KeyType::Ecdsa) => "ecdsa",
            Some(KeyType::Ed25519) | None => "ed25519",
        };
        let _ = writeln!(text, "  {name}_private: |");
        for line in key.private_text()?.expose_secret().lines() {
            let _ = writeln!(text, "    {line}");
        }
        let _ = writeln!(text, "  {name}_public: {}", public.line());
    }
    if !keys.login.is_empty() {
        text.push_str("ssh_authorized_keys:\n");
    }
    for key in keys.login {
        let _ = writeln!(text, "  - {}", key.public().line());
    }
    Ok(text)
}

/// A MIME archive of both parts. Ours comes last: of two cloud-config parts the later one's keys win.
fn join(ours: &str, own: &str) -> String {
    let own = match kind(own) {
        Some(kind) => part(kind, own),
        // If the manifest's own user data is an archive, it becomes a part like others.
        None => own.trim_start().to_owned(),
    };
    format!(
        "Content-Type: multipart/mixed; boundary=\"{BOUNDARY}\"\nMIME-Version: 1.0\n\n--{BOUNDARY}\n{own}\n\
         --{BOUNDARY}\n{ours}\n--{BOUNDARY}--\n"
    )
}

fn part(kind: &str, body: &str) -> String {
    // Base64 is the only encoding that preserves every script, whatever its line ends and characters; but it takes a
    // third more of the limit, so ASCII is sent unencoded.
    if body.is_ascii() {
        format!(
            "Content-Type: {kind}; charset=\"us-ascii\"\nMIME-Version: 1.0\nContent-Transfer-Encoding: 7bit\n\n{body}"
        )
    } else {
        format!(
            "Content-Type: {kind}; charset=\"utf-8\"\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\n{}",
            STANDARD.encode(body)
        )
    }
}

fn kind(own: &str) -> Option<&'static str> {
    let own = own.trim_start();
    KINDS.iter().find(|(start, _)| own.starts_with(start)).map(|(_, kind)| *kind)
}

fn is_mime(own: &str) -> bool {
    let own = own.trim_start().to_ascii_lowercase();
    own.starts_with("content-type:") || own.starts_with("mime-version:")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(own: Option<&str>) -> String {
        let keys = |kinds: [KeyType; 2]| kinds.map(|kind| Key::generate(kind, "host").unwrap());
        let (hosts, login) = (keys([KeyType::Ed25519, KeyType::Ecdsa]), keys([KeyType::Ecdsa, KeyType::Rsa]));
        let keys = Installed { hosts: &hosts, login: &login };
        with_keys(keys, own).unwrap()
    }

    #[test]
    fn the_host_key_alone_is_one_cloud_config() {
        let text = decoded(None);
        assert!(text.starts_with("#cloud-config\n"), "{text}");
        assert!(text.contains("  ed25519_private: |\n    -----BEGIN OPENSSH PRIVATE KEY-----\n    "), "{text}");
        assert!(text.contains("  ed25519_public: ssh-ed25519 AAAA"), "{text}");
        assert!(text.contains("  ecdsa_public: ecdsa-sha2-nistp256 AAAA"), "{text}");
        assert!(text.contains("\nssh_authorized_keys:\n  - ecdsa-sha2-nistp256 AAAA"), "{text}");
        assert!(text.contains("\n  - ssh-rsa AAAA"), "{text}");
    }

    #[test]
    fn a_script_of_the_manifest_is_kept_as_it_is() {
        let script = "#!/bin/sh\necho hello\n";
        let text = decoded(Some(script));
        assert!(text.starts_with("Content-Type: multipart/mixed;"));
        assert!(text.contains("Content-Type: text/x-shellscript;"));
        assert!(text.contains(&format!("\n\n{script}\n--{BOUNDARY}")));
        assert!(text.find("x-shellscript") < text.find("text/cloud-config"), "ours comes last");
    }

    #[test]
    fn other_formats_are_distinguished() {
        assert!(joins(Some("#cloud-config\npackages: [a]")));
        assert!(joins(Some("Content-Type: multipart/mixed; boundary=x\n\n--x--")));
        assert!(!joins(Some("{\"ignition\": {}}")));
        assert!(!joins(Some("<powershell>")));
        assert!(takes_login(None) && takes_login(Some("#!/bin/sh\n")));
        assert!(!takes_login(Some("<powershell>")) && !takes_login(Some("#cloud-config\nssh_authorized_keys: [a]\n")));
    }
}
