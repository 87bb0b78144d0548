//! Obstacles to a connection, and the advice for each.

use std::time::Duration;

use ami_bake_core::Error;
use ami_bake_core::duration::human;
use ami_bake_core::output::sanitize;
use russh::AlgorithmKind;

/// The error with `what` as a prefix.
pub(crate) fn prefixed(what: &str, error: &Error) -> Error {
    let outer = Error::build(format!("could not {what}: {error}"));
    match error.help_text() {
        Some(help) => outer.help(help),
        None => outer,
    }
}

/// Both sides' offers, where they have nothing in common: no later attempt gives another answer. `expected` is the host key
/// that the machine was expected to answer with.
pub(crate) fn no_common_algorithm(
    address: &str,
    kind: &AlgorithmKind,
    ours: &[String],
    theirs: &[String],
    expected: &str,
) -> Error {
    // Names of extensions are no algorithms (RFC 8308; OpenSSH's PROTOCOL, "strict key exchange").
    let list = |names: &[String]| {
        let names: Vec<String> = names
            .iter()
            .filter(|name| !name.starts_with("ext-info-") && !name.starts_with("kex-strict-"))
            .map(|name| sanitize(name))
            .collect();
        names.join(", ")
    };
    let (what, keyword) = match kind {
        AlgorithmKind::Kex => ("key exchange algorithm", "KexAlgorithms"),
        AlgorithmKind::Key => ("host key algorithm", "HostKeyAlgorithms"),
        AlgorithmKind::Cipher => ("cipher", "Ciphers"),
        AlgorithmKind::Compression => ("compression algorithm", "Compression"),
        AlgorithmKind::Mac => ("MAC algorithm", "MACs"),
    };
    let help = if matches!(kind, AlgorithmKind::Key) {
        format!(
            "The machine was expected to answer with host key {expected}. Set `connect: {{host-key-type: …}}` to a type that              it offers (`ed25519`, `ecdsa` or `rsa`), or `host-key` if the image has its own host keys. If the machine              offers unexpected types, somebody may be intercepting the connection, or the address was reused."
        )
    } else {
        format!("Allow one of the algorithms of ami-bake with `{keyword}` in sshd_config of the image.")
    };
    Error::build(format!(
        "could not connect to {address} over SSH: no common {what}; the machine offers {}, ami-bake offers {}",
        list(theirs),
        list(ours)
    ))
    .help(help)
}

/// The last obstacle to a connection. All of them can go away while a machine boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// No answer to any packet.
    Silence,
    /// The machine answers, but nothing listens on the port.
    Refused,
    /// The name does not resolve, there is no route, or another network error.
    Network(String),
    /// The jump host could not reach the machine.
    Jump(String),
    /// Something accepted the connection, but then did not answer, closed it, or did not speak SSH.
    Handshake(String),
    /// The server refused the key.
    Auth { user: String, banner: Option<String>, detail: String },
    /// Logged in, but commands do not run as root.
    Root { user: String, detail: String },
}

impl Obstacle {
    /// The error after the deadline: what was tried, for how long, and the last obstacle.
    pub(crate) fn give_up(&self, address: &str, tried: Duration) -> Error {
        let (reason, help) = match self {
            Self::Silence => (
                "no answer".to_owned(),
                "Check that the machine is running, that its security group allows this host's address, and that its \
                 subnet has a route to the internet (or set `connect: private` or a jump host).",
            ),
            Self::Refused => (
                "the machine refuses the connection: no SSH server listens on that port".to_owned(),
                "Check the machine's console output: it may still be booting, or its image may have no SSH server.",
            ),
            Self::Network(text) => (text.clone(), "Check the address and this host's network."),
            Self::Jump(text) => (
                format!("the jump host could not reach it: {text}"),
                "Check that the machine's security group allows the jump host, and that the jump host's sshd has \
                 `AllowTcpForwarding yes`.",
            ),
            Self::Handshake(text) => (
                text.clone(),
                "Something accepts the connection but does not answer as an SSH server in time. Check the machine's console \
                 output.",
            ),
            Self::Auth { user, banner, detail } => {
                let banner = banner.as_ref().map(|banner| format!("; its banner says {banner:?}")).unwrap_or_default();
                (
                    format!("the machine refuses the login of user {user}: {detail}{banner}"),
                    "Check `machine.user` against the source image (ec2-user on Amazon Linux, ubuntu on Ubuntu, admin \
                     on Debian), and check in its console output that cloud-init installed the key. If the image accepts \
                     only other types of keys, set `connect: {key-type: …}`.",
                )
            }
            Self::Root { user, detail } if user == "root" => (
                format!("user root is logged in but can't run commands: {detail}"),
                "Images often forbid the login of root; set `machine.user` to the image's own user (ec2-user, ubuntu, admin).",
            ),
            Self::Root { user, detail } => (
                format!("user {user} is logged in but can't become root: {detail}"),
                "Steps run as root: allow the user to run sudo without a password (`NOPASSWD:ALL`), set the password or \
                 another program with `connect: {as: {user: root, password: …}}`, or set `machine.user` to a user who can \
                 become root.",
            ),
        };
        Error::build(format!("could not connect to {address} over SSH within {}: {reason}", rounded(tried))).help(help)
    }
}

/// The duration in whole seconds.
fn rounded(duration: Duration) -> String {
    human(Duration::from_secs((duration + Duration::from_millis(500)).as_secs()))
}
