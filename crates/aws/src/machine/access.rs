//! Access to a machine: its address, the login key, and the host key that it must have.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::plan::{AddressKind, KeyType, LoginKey, MachineSettings, RootProgram};
use ami_bake_core::{Error, Result, Run};
use ami_bake_ssh::{self as ssh, HostKey, Jump, Key, RootAccess, Ssh, Target, Timing};
use secrecy::SecretString;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::hostkey;
use super::instance::Instance;
use crate::client::Client;

/// Time limit for a machine to become reachable after the launch: the slowest images take a minute or two.
const LIMIT: Duration = Duration::from_mins(5);
/// The same limit for bare metal, which tests its memory first.
const LIMIT_METAL: Duration = Duration::from_mins(25);
/// The host key that a machine must answer with.
#[derive(Debug, Clone)]
pub(super) enum ExpectedHostKey {
    /// The key is known before the launch.
    Known(HostKey),
    /// The key is read from the serial console, where cloud-init prints it.
    Console,
}

/// Addresses, user and keys for the connection to a machine.
#[derive(Debug, Clone)]
pub(super) struct Access {
    /// The run's login key.
    pub(super) login: Vec<Key>,
    /// The login keys that the bake installs on the machine.
    pub(super) installed: Vec<Key>,
    /// The expected host key.
    pub(super) expected: ExpectedHostKey,
    /// The login name.
    pub(super) user: String,
    /// How the login user becomes root.
    pub(super) root: RootAccess,
    /// The `machine` settings of the manifest.
    pub(super) settings: MachineSettings,
    /// True when an image will be captured from the machine.
    pub(super) sealed: bool,
}

/// A connection attempt in the background; aborted when dropped.
pub(super) struct Dial(pub(super) JoinHandle<Result<Ssh>>);

impl Drop for Dial {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Access {
    /// The address to connect to. Before the machine is running only the preferred kind of address counts: the other
    /// one may be assigned first.
    pub(super) fn address(&self, instance: &Instance, running: bool) -> Option<String> {
        let private = || instance.private.clone().or_else(|| instance.ipv6.clone());
        let settings = &self.settings;
        match settings.connect.address {
            Some(AddressKind::Private) => return private(),
            Some(AddressKind::Public) => return instance.public.clone(),
            Some(AddressKind::Ipv6) => return instance.ipv6.clone(),
            None => {}
        }
        // A jump host is in the machine's own network.
        if settings.connect.jump.is_some() || settings.public_ip == Some(false) {
            return private();
        }
        if instance.public.is_some() || settings.public_ip == Some(true) {
            return instance.public.clone();
        }
        if running { instance.ipv6.clone().or_else(private) } else { None }
    }

    /// The error for a running machine without the address that it is to be reached at.
    pub(super) fn no_address(&self, instance: &Instance) -> Error {
        let subnet = instance.subnet.as_deref().unwrap_or("its subnet");
        let (kind, help) = match self.settings.connect.address {
            Some(AddressKind::Ipv6) => (
                "IPv6",
                format!(
                    "Use a subnet that has an IPv6 range and assigns addresses of it (`aws ec2 describe-subnets --subnet-ids {subnet}`), or another \
                     address under `machine: {{connect: …}}`."
                ),
            ),
            Some(AddressKind::Private) => ("private", "Use another address under `machine: {connect: …}`.".to_owned()),
            Some(AddressKind::Public) | None if self.settings.public_ip == Some(true) => (
                "public",
                format!(
                    "EC2 did not assign one in {subnet}: use another subnet, `connect: private` from inside the VPC, or a jump host."
                ),
            ),
            Some(AddressKind::Public) | None => (
                "public",
                format!(
                    "{subnet} does not assign one. Set `machine: {{public-ip: true}}`, use a subnet that assigns public addresses, `connect: private` \
                     from inside the VPC, or a jump host."
                ),
            ),
        };
        Error::build(format!("{} has no {kind} address to connect to", instance.id)).help(help)
    }

    /// Time limit for the machine to become reachable.
    pub(super) fn limit(&self, metal: bool) -> Duration {
        self.settings.connect.timeout.unwrap_or(if metal { LIMIT_METAL } else { LIMIT })
    }

    /// True if nobody logs in to the machine.
    pub(super) fn is_outside(&self) -> bool {
        self.settings.connect.outside.is_some()
    }

    /// Starts to connect; the port is probed every 0.3 s.
    pub(super) fn dial(&self, client: &Arc<Client>, run: &Run, instance: &Instance, metal: bool) -> Dial {
        let limit = self.limit(metal);
        let deadline = Instant::now() + limit;
        let (access, client, run, instance) = (self.clone(), Arc::clone(client), run.clone(), instance.clone());
        Dial(tokio::spawn(async move {
            let target = access.target(&client, &run, &instance, limit).await?;
            Ssh::connect(target, deadline, run.cancel.clone()).await
        }))
    }

    async fn target(&self, client: &Client, run: &Run, instance: &Instance, limit: Duration) -> Result<Target> {
        let address = self.address(instance, true).ok_or_else(|| self.no_address(instance))?;
        let host_key = match &self.expected {
            ExpectedHostKey::Known(key) => key.clone(),
            ExpectedHostKey::Console => {
                let what = format!("the host key on the console of {}", instance.id);
                run.waiting(&what, hostkey::from_console(client, run, &instance.id, limit)).await?
            }
        };
        let connect = &self.settings.connect;
        let Some(first) = self.login.first() else {
            return Err(Error::internal(format!("there is no key to log in to {}", instance.id)));
        };
        let mut target = Target::new(address, &self.user, first.clone(), host_key);
        target.keys.clone_from(&self.login);
        target.other_users.clone_from(&self.settings.other_users);
        target.root = self.root.clone();
        target.port = connect.port.unwrap_or(22);
        target.timing = Timing::default();
        target.jump = match &connect.jump {
            None => None,
            Some(jump) => Some(Jump {
                host: jump.host.clone(),
                port: jump.port.unwrap_or(22),
                user: jump.user.clone(),
                // Without a key file: the agent's keys come first, as ssh(1) has it.
                agent: match &jump.key {
                    Some(_) => None,
                    None => std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from),
                },
                keys: match &jump.key {
                    Some(path) => vec![read_key(path, "the jump host's key")?],
                    None => self.login.clone(),
                },
                host_key: match &jump.host_key {
                    Some(key) => HostKey::parse(key)?,
                    None => {
                        return Err(Error::manifest(format!("the host key of the jump host {} is missing", jump.host))
                            .help("Write `connect: {jump: {host-key: \"ssh-ed25519 …\"}}` (`ssh-keyscan` shows it), or `accept-new`."));
                    }
                },
            }),
        };
        Ok(target)
    }
}

/// The private key of a jump host or of `test-connect`; `what` says which.
///
/// # Errors
/// When it can't be read, or is not a key.
pub(super) fn read_key(path: &str, what: &str) -> Result<Key> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::preflight(format!("could not read {what} {path}")).because(error).help("Set the path of a private key.")
    })?;
    Key::parse(&SecretString::from(text)).map_err(|error| {
        let help = error.help_text().map(str::to_owned);
        let named = Error::preflight(format!("could not use {what} {path}")).because(error);
        help.into_iter().fold(named, Error::help)
    })
}

/// The key of `test-connect`.
pub(super) fn login_key(run: &Run, key: &LoginKey) -> Result<Key> {
    match key {
        LoginKey::File(path) => read_key(path, "the key of `test-connect`"),
        LoginKey::Secret(value) => Key::parse(&value.expose(run.secrets())),
    }
}

/// How the login user becomes root, with the password.
pub(super) fn root_access(run: &Run, settings: &MachineSettings) -> RootAccess {
    let connect = &settings.connect;
    let login = connect.root.clone().unwrap_or_default();
    RootAccess {
        through: login.through.map(|program| match program {
            RootProgram::Sudo => ssh::RootProgram::Sudo,
            RootProgram::Doas => ssh::RootProgram::Doas,
            RootProgram::Su => ssh::RootProgram::Su,
        }),
        password: login.password.map(|password| password.expose(run.secrets())),
        pty: connect.pty,
    }
}

/// The type for the SSH crate.
pub(super) fn key_type(kind: KeyType) -> ssh::KeyType {
    match kind {
        KeyType::Ed25519 => ssh::KeyType::Ed25519,
        KeyType::Ecdsa => ssh::KeyType::Ecdsa,
        KeyType::Rsa => ssh::KeyType::Rsa,
    }
}

#[cfg(test)]
mod tests {
    use ami_bake_core::plan::Connect;

    use super::*;

    fn access(settings: MachineSettings) -> Access {
        let login = vec![Key::generate(ssh::KeyType::Ed25519, "test").unwrap()];
        let installed = login.clone();
        let root = RootAccess::default();
        Access {
            login,
            installed,
            root,
            expected: ExpectedHostKey::Console,
            user: "admin".to_owned(),
            settings,
            sealed: true,
        }
    }

    fn instance(public: Option<&str>) -> Instance {
        Instance { public: public.map(str::to_owned), private: Some("10.0.0.1".to_owned()), ..Instance::unknown("i-1") }
    }

    #[test]
    fn the_public_address_is_waited_for_while_it_may_come() {
        let usual = access(MachineSettings::default());
        assert_eq!(usual.address(&instance(None), false), None);
        assert_eq!(usual.address(&instance(None), true).as_deref(), Some("10.0.0.1"));
        assert_eq!(usual.address(&instance(Some("203.0.113.7")), false).as_deref(), Some("203.0.113.7"));
        let wanted = access(MachineSettings { public_ip: Some(true), ..MachineSettings::default() });
        assert_eq!(wanted.address(&instance(None), true), None);
    }

    #[test]
    fn a_private_connection_never_takes_the_public_address() {
        let connect = Connect { address: Some(AddressKind::Private), ..Connect::default() };
        let private = access(MachineSettings { connect, ..MachineSettings::default() });
        assert_eq!(private.address(&instance(Some("203.0.113.7")), false).as_deref(), Some("10.0.0.1"));
    }
}
