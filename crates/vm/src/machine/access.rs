//! Access to a machine: the login keys, and the host keys that it must have.

use ami_bake_core::plan::{self, LoginKey, MachineSettings, RootProgram};
use ami_bake_core::{Error, Result, Run};
use ami_bake_ssh::user_data::{self, Installed};
use ami_bake_ssh::{self as ssh, HostKey, Key, KeyType, RootAccess, Target};
use secrecy::SecretString;

/// Types of the keys that a machine gets; FIPS mode allows the second.
const KEYS: [KeyType; 3] = [KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa];

/// User, keys and host key of the connection to a machine.
#[derive(Debug, Clone)]
pub(super) struct Access {
    /// Keys to log in with.
    pub(super) login: Vec<Key>,
    /// The login keys that the bake installs.
    pub(super) installed: Vec<Key>,
    /// The host key that the machine must answer with.
    pub(super) host_key: HostKey,
    /// The user data for cloud-init.
    pub(super) user_data: String,
}

impl Access {
    /// New keys for a machine, and the user data that installs them.
    ///
    /// # Errors
    /// When the manifest's host key or login key is not valid, or no host key can be installed beside its user data.
    pub(super) fn new(run: &Run, settings: &MachineSettings) -> Result<Self> {
        let connect = &settings.connect;
        let own = settings.user_data.as_deref();
        let installed = generate(connect.key_type, "ami-bake login key")?;
        let login = match &connect.key {
            None => installed.clone(),
            Some(LoginKey::Secret(value)) => vec![Key::parse(&value.expose(run.secrets()))?],
            Some(LoginKey::File(path)) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    Error::preflight(format!("could not read the key of `test-connect` {path}")).because(error)
                })?;
                vec![Key::parse(&SecretString::from(text))?]
            }
        };
        if let Some(given) = connect.host_key.as_deref() {
            let user_data = own.unwrap_or("#cloud-config\n{}\n").to_owned();
            return Ok(Self { login, installed, host_key: HostKey::parse(given)?, user_data });
        }
        if !user_data::joins(own) {
            return Err(Error::preflight("the user data is not for cloud-init, which installs the machine's host key")
                .help(
                    "Set the host key of the image with `connect: {host-key: \"ssh-ed25519 …\"}`, or `accept-new`.",
                ));
        }
        let hosts = generate(connect.host_key_type, "ami-bake host key")?;
        let user_data = user_data::with_keys(Installed { hosts: &hosts, login: &[] }, own)?;
        let host_key = HostKey::OneOf(hosts.iter().map(Key::public).collect());
        Ok(Self { login, installed, host_key, user_data })
    }

    /// The login keys as lines of `authorized_keys`.
    pub(super) fn authorized(&self) -> Vec<String> {
        self.installed.iter().map(|key| key.public().line()).collect()
    }

    /// Where to connect to, and how.
    ///
    /// # Errors
    /// When there is no login key, which is a bug.
    pub(super) fn target(&self, run: &Run, settings: &MachineSettings, user: &str, port: u16) -> Result<Target> {
        let first = self.login.first().ok_or_else(|| Error::internal("there is no key to log in with"))?;
        let mut target = Target::new("127.0.0.1", user, first.clone(), self.host_key.clone());
        target.keys.clone_from(&self.login);
        target.other_users.clone_from(&settings.other_users);
        target.port = port;
        let root = settings.connect.root.clone().unwrap_or_default();
        target.root = RootAccess {
            through: root.through.map(|program| match program {
                RootProgram::Sudo => ssh::RootProgram::Sudo,
                RootProgram::Doas => ssh::RootProgram::Doas,
                RootProgram::Su => ssh::RootProgram::Su,
            }),
            password: root.password.map(|password| password.expose(run.secrets())),
            pty: settings.connect.pty,
        };
        Ok(target)
    }
}

/// A key of the type, or of each usual one.
fn generate(kind: Option<plan::KeyType>, comment: &str) -> Result<Vec<Key>> {
    let kinds = kind.map_or(&KEYS[..], |kind| match kind {
        plan::KeyType::Ed25519 => &[KeyType::Ed25519],
        plan::KeyType::Ecdsa => &[KeyType::Ecdsa],
        plan::KeyType::Rsa => &[KeyType::Rsa],
    });
    kinds.iter().map(|kind| Key::generate(*kind, comment)).collect()
}
