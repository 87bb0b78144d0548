//! What was seen last while connecting, and what a reader can do about it.

use std::time::Duration;

use ami_bake_core::Error;

/// The same failure with what it was part of in front.
pub(crate) fn prefixed(what: &str, error: &Error) -> Error {
    let outer = Error::build(format!("{what}: {error}"));
    match error.help_text() {
        Some(help) => outer.help(help),
        None => outer,
    }
}

/// The last thing that stood between us and a connection. All of these may pass while a machine boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// No answer to any packet.
    Silence,
    /// The machine is there, and nothing listens.
    Refused,
    /// The name does not resolve, no route, or another error of the network.
    Network(String),
    /// The jump host could not reach the machine.
    Jump(String),
    /// Something accepted the connection and then said nothing, hung up, or spoke no SSH.
    Handshake(String),
    /// The server did not take the key.
    Auth { user: String, banner: Option<String>, detail: String },
    /// Logged in, but commands don't run as root.
    Root { user: String, detail: String },
}

impl Obstacle {
    /// The error when time is up: what was tried, for how long, and what was seen last.
    pub(crate) fn give_up(&self, place: &str, tried: Duration) -> Error {
        let (seen, help) = match self {
            Self::Silence => (
                "nothing answers there".to_owned(),
                "Check that the machine is running, that its security group lets this host's address in, and that its \
                 subnet has a route to the internet (or set `connect: private` or a jump host).",
            ),
            Self::Refused => (
                "the machine refuses the connection: no SSH server listens on that port".to_owned(),
                "Look at the machine's console output: it may still boot, or its image may have no SSH server.",
            ),
            Self::Network(text) => (text.clone(), "Check the address and this host's network."),
            Self::Jump(text) => (
                format!("the jump host could not reach it: {text}"),
                "Check that the machine's security group lets the jump host in, and that the jump host's sshd has \
                 `AllowTcpForwarding yes`.",
            ),
            Self::Handshake(text) => (
                text.clone(),
                "Something accepts the connection but does not speak SSH in time; look at the machine's console output.",
            ),
            Self::Auth { user, banner, detail } => {
                let banner = banner.as_ref().map(|banner| format!("; its banner says {banner:?}")).unwrap_or_default();
                (
                    format!("the machine refuses the login of user {user}: {detail}{banner}"),
                    "Check `machine.user` against the source image (ec2-user on Amazon Linux, ubuntu on Ubuntu, admin \
                     on Debian), and in its console output that cloud-init installed the key.",
                )
            }
            Self::Root { user, detail } if user == "root" => (
                format!("user root is logged in but can't run commands: {detail}"),
                "Images often forbid root's login; set `machine.user` to the image's own user (ec2-user, ubuntu, admin).",
            ),
            Self::Root { user, detail } => (
                format!("user {user} is logged in but can't become root: {detail}"),
                "Steps run as root: install sudo in the source image and let that user run it without a password \
                 (`NOPASSWD:ALL`), or set `machine.user` to one who can.",
            ),
        };
        let seconds = tried.as_secs_f64();
        Error::build(format!("connect to {place} over SSH within {seconds:.0} s: {seen}")).help(help)
    }
}
