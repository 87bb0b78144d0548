//! The address of a machine, and how to log in to it.

use std::path::PathBuf;
use std::time::Duration;

use ami_bake_core::{Error, Result};
use secrecy::SecretString;

use crate::key::{Key, PublicKey};

/// Which host key a machine must answer with.
#[derive(Debug, Clone)]
pub enum HostKey {
    /// This key and no other; the client offers its algorithm alone.
    Pinned(PublicKey),
    /// One of these, which are of different types; the client offers their algorithms alone, in this order.
    OneOf(Vec<PublicKey>),
    /// A key with this fingerprint, written as `SHA256:` and base64.
    Fingerprint(String),
    /// Any key; the first that answers is pinned.
    AcceptNew,
}

impl HostKey {
    /// Parses `host-key` of a manifest: a line of a public key, a `SHA256:` fingerprint, or `accept-new`.
    ///
    /// # Errors
    /// When the text is invalid.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        match text.strip_prefix("SHA256:") {
            _ if text == "accept-new" => Ok(Self::AcceptNew),
            // 32 bytes are 43 characters of base64 without padding, which OpenSSH omits.
            Some(digest) if digest.trim_end_matches('=').len() == 43 => {
                Ok(Self::Fingerprint(text.trim_end_matches('=').to_owned()))
            }
            Some(_) => Err(Error::manifest(format!(
                "could not read the host key fingerprint {text:?}: it is not 43 characters long"
            ))
            .help("Run `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the machine to print it.")),
            None => PublicKey::parse(text).map(Self::Pinned),
        }
    }

    pub(crate) fn accepts(&self, key: &PublicKey) -> bool {
        match self {
            Self::Pinned(expected) => key == expected,
            Self::OneOf(expected) => expected.contains(key),
            Self::Fingerprint(expected) => key.fingerprint() == *expected,
            Self::AcceptNew => true,
        }
    }

    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Pinned(key) => format!("{} {}", key.algorithm(), key.fingerprint()),
            Self::OneOf(keys) => {
                let all: Vec<_> = keys.iter().map(|key| format!("{} {}", key.algorithm(), key.fingerprint())).collect();
                all.join(" or ")
            }
            Self::Fingerprint(fingerprint) => fingerprint.clone(),
            Self::AcceptNew => "any".to_owned(),
        }
    }
}

/// A machine to log in to.
#[derive(Debug, Clone)]
pub struct Target {
    /// IP address or name.
    pub address: String,
    /// TCP port, 22 as a rule.
    pub port: u16,
    /// Login user.
    pub user: String,
    /// Further login users, tried in this order after `user`: one connection each.
    pub other_users: Vec<String>,
    /// How the login becomes root, where it is another user.
    pub root: RootAccess,
    /// Login keys, tried in this order.
    pub keys: Vec<Key>,
    /// The host key that must answer.
    pub host_key: HostKey,
    /// Jump host through which the machine is reached.
    pub jump: Option<Jump>,
    /// Pauses and time limits.
    pub timing: Timing,
}

impl Target {
    /// A machine on port 22 without a jump host and with the usual timing.
    pub fn new(address: impl Into<String>, user: impl Into<String>, key: Key, host_key: HostKey) -> Self {
        Self {
            address: address.into(),
            port: 22,
            user: user.into(),
            other_users: Vec::new(),
            root: RootAccess::default(),
            keys: vec![key],
            host_key,
            jump: None,
            timing: Timing::default(),
        }
    }
}

/// How a login that is not root becomes root.
#[derive(Debug, Clone, Default)]
pub struct RootAccess {
    /// The program. Default: the first of these that the machine has.
    pub through: Option<RootProgram>,
    /// The password that the program asks for: the user's own for sudo and doas, root's for su. Default: none is needed.
    pub password: Option<SecretString>,
    /// Start the program in a pseudo-terminal (`requiretty` of sudoers(5)). Default: only when it says that it needs one.
    pub pty: bool,
}

impl RootAccess {
    /// True when it takes a pseudo-terminal: a password is typed there, and su and doas read theirs nowhere else.
    pub(crate) fn in_terminal(&self) -> bool {
        self.pty || self.password.is_some() || !matches!(self.through, None | Some(RootProgram::Sudo))
    }
}

/// A program that runs commands as root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootProgram {
    /// sudo(8).
    Sudo,
    /// doas(1).
    Doas,
    /// su(1).
    Su,
}

impl RootProgram {
    /// Its name as a command.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sudo => "sudo",
            Self::Doas => "doas",
            Self::Su => "su",
        }
    }
}

/// A host between this program and the machine; it forwards a TCP connection and sees nothing inside.
#[derive(Debug, Clone)]
pub struct Jump {
    /// IP address or name.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Login user; it needs no root rights.
    pub user: String,
    /// Socket of an SSH agent, whose keys are tried before `keys`.
    pub agent: Option<PathBuf>,
    /// Login keys, tried in this order.
    pub keys: Vec<Key>,
    /// The host key that must answer.
    pub host_key: HostKey,
}

/// Pauses and time limits of connecting.
#[derive(Debug, Clone)]
pub struct Timing {
    /// Interval between new TCP connections. Packer's interval of 5–7 s loses 2–20 s once sshd is up.
    pub probe: Duration,
    /// Time limit for one TCP connection. Several are under way at once, so a lost first packet costs nothing.
    pub dial: Duration,
    /// Time limit for version exchange, key exchange and host key.
    pub handshake: Duration,
    /// Time limit for one attempt to log in.
    pub auth: Duration,
    /// Pause between two attempts to log in.
    pub auth_pause: Duration,
    /// Time limit for a call that finds the connection lost to reconnect.
    pub reconnect: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            probe: Duration::from_millis(300),
            dial: Duration::from_millis(2500),
            handshake: Duration::from_secs(10),
            auth: Duration::from_secs(20),
            auth_pause: Duration::from_millis(500),
            reconnect: Duration::from_mins(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyType;

    #[test]
    fn host_keys_are_read_in_every_form() {
        let key = Key::generate(KeyType::Ed25519, "host").unwrap().public();
        assert!(HostKey::parse(&key.line()).unwrap().accepts(&key));
        assert!(HostKey::parse(&key.fingerprint()).unwrap().accepts(&key));
        assert!(HostKey::parse("accept-new").unwrap().accepts(&key));
        let other = Key::generate(KeyType::Ed25519, "host").unwrap().public();
        assert!(!HostKey::parse(&key.line()).unwrap().accepts(&other));
        assert!(!HostKey::parse(&key.fingerprint()).unwrap().accepts(&other));
        assert!(HostKey::parse("SHA256:abc").is_err());
        assert!(HostKey::parse("accept").is_err());
    }
}
