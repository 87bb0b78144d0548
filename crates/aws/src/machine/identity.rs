//! Host keys and login keys of a machine, and the user data that installs them.

use std::time::Duration;

use ami_bake_core::plan::{self, MachineSettings};
use ami_bake_core::{Error, Result, Run};
use ami_bake_ssh::{HostKey, Key, KeyType};

use super::access::{self, ExpectedHostKey};
use super::keypair::LoginKeys;
use super::timer;
use super::userdata::{self, Installed};

/// Types of the host keys that a machine gets; FIPS mode allows the second.
const HOST_KEYS: [KeyType; 2] = [KeyType::Ed25519, KeyType::Ecdsa];

/// Keys of a machine.
pub(super) struct Identity {
    /// The host key that it must answer with.
    pub(super) expected: ExpectedHostKey,
    /// Keys to log in with.
    pub(super) login: Vec<Key>,
    /// Login keys that the bake installs on it.
    pub(super) installed: Vec<Key>,
    /// Its user data in base64.
    pub(super) user_data: Option<String>,
}

/// What the user data of a machine installs.
pub(super) struct HostIdentity<'a> {
    /// The host key that the machine must answer with.
    expected: ExpectedHostKey,
    /// Its user data in base64.
    user_data: Option<String>,
    /// The ECDSA login key, where the user data installs one.
    ecdsa: Option<&'a Key>,
}

/// The keys of the machine, and the user data that installs them.
///
/// # Errors
/// As [`host_identity`], and when the key of `test-connect` can't be read.
pub(super) fn identity(
    run: &Run,
    settings: &MachineSettings,
    keys: &LoginKeys,
    lifetime: Duration,
) -> Result<Identity> {
    if settings.connect.outside.is_some() {
        return without_login(settings, keys, lifetime);
    }
    let only_ecdsa = settings.connect.key_type == Some(plan::KeyType::Ecdsa);
    let HostIdentity { expected, user_data, ecdsa } = host_identity(settings, keys)?;
    let installed: Vec<Key> = std::iter::once(&keys.imported).chain(ecdsa).cloned().collect();
    let login = match &settings.connect.key {
        Some(key) => vec![access::login_key(run, key)?],
        None if only_ecdsa => ecdsa.into_iter().cloned().collect(),
        None => installed.clone(),
    };
    Ok(Identity { expected, login, installed, user_data })
}

/// A machine that nobody logs in to gets no keys. Its own boot sets the self-termination timer.
fn without_login(settings: &MachineSettings, keys: &LoginKeys, lifetime: Duration) -> Result<Identity> {
    let own = settings.user_data.as_deref();
    let user_data = if userdata::joins(own) {
        Some(userdata::with_boot_hook(&timer::script(lifetime, "true"), own)?)
    } else {
        own.map(userdata::plain).transpose()?
    };
    let login = vec![keys.imported.clone()];
    Ok(Identity { expected: ExpectedHostKey::Console, installed: login.clone(), login, user_data })
}

/// The host keys of the machine, and the user data that installs them.
///
/// # Errors
/// When EC2 would refuse the user data, the manifest's host key is none, or no login key can be installed.
pub(super) fn host_identity<'a>(settings: &MachineSettings, keys: &'a LoginKeys) -> Result<HostIdentity<'a>> {
    let own = settings.user_data.as_deref();
    let ecdsa = keys.ecdsa.as_ref().filter(|_| userdata::takes_login(own));
    let given = match settings.connect.host_key.as_deref() {
        Some("console") => Some(ExpectedHostKey::Console),
        Some(given) => Some(ExpectedHostKey::Known(HostKey::parse(given)?)),
        None if userdata::joins(own) => None,
        None => Some(ExpectedHostKey::Console),
    };
    let only_ecdsa = settings.connect.key_type == Some(plan::KeyType::Ecdsa);
    let (expected, user_data, ecdsa) = match given {
        // Without need, user data of other formats, and machines without any, are left alone.
        Some(expected) if only_ecdsa && ecdsa.is_some() => {
            let data = userdata::with_keys(Installed { hosts: &[], login: ecdsa }, own)?;
            (expected, Some(data), ecdsa)
        }
        Some(expected) => (expected, own.map(userdata::plain).transpose()?, None),
        None => {
            let kinds = settings.connect.host_key_type.map_or(&HOST_KEYS[..], |kind| match access::key_type(kind) {
                KeyType::Ed25519 => &HOST_KEYS[..1],
                KeyType::Ecdsa => &HOST_KEYS[1..],
                KeyType::Rsa => &[KeyType::Rsa],
            });
            let hosts: Vec<Key> =
                kinds.iter().map(|kind| Key::generate(*kind, "ami-bake host key")).collect::<Result<_>>()?;
            let all = |hosts: &[Key]| {
                let public = hosts.iter().map(Key::public).collect();
                ExpectedHostKey::Known(HostKey::OneOf(public))
            };
            match userdata::with_keys(Installed { hosts: &hosts, login: ecdsa }, own) {
                Ok(data) => (all(&hosts), Some(data), ecdsa),
                // One key of each kind may still fit below EC2's limit.
                Err(_) if !only_ecdsa => {
                    let data = userdata::with_keys(Installed { hosts: &hosts[..1], login: None }, own)?;
                    (all(&hosts[..1]), Some(data), None)
                }
                Err(error) => return Err(error),
            }
        }
    };
    if settings.connect.key.is_none() && only_ecdsa && ecdsa.is_none() {
        return Err(Error::preflight("an ECDSA login key can't be installed with this user data").help(
            "EC2 does not import ECDSA keys, and only cloud-init installs them. Use `connect: {key-type: rsa}` or `ed25519`.",
        ));
    }
    Ok(HostIdentity { expected, user_data, ecdsa })
}
