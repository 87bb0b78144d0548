//! Host keys and login keys of a machine, and the user data that installs them.

use std::time::Duration;

use ami_bake_core::plan::{self, MachineSettings};
use ami_bake_core::{Error, Result, Run};
use ami_bake_ssh::{HostKey, Key, KeyType};

use super::access::{self, ExpectedHostKey};
use super::keypair::LoginKeys;
use super::timer;
use super::userdata::{self, Installed};

/// Types of the host keys that a machine gets, the preferred first: FIPS mode allows the second and the third, and old
/// systems know the third alone.
const HOST_KEYS: [KeyType; 3] = [KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa];

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
    /// The login keys that the user data installs.
    login: &'a [Key],
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
    let HostIdentity { expected, user_data, login: others } = host_identity(settings, keys)?;
    let installed: Vec<Key> = std::iter::once(&keys.imported).chain(others).cloned().collect();
    let login = match &settings.connect.key {
        Some(key) => vec![access::login_key(run, key)?],
        None if only_ecdsa => others.to_vec(),
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
    let others = if userdata::takes_login(own) { &keys.others[..] } else { &[] };
    let given = match settings.connect.host_key.as_deref() {
        Some("console") => Some(ExpectedHostKey::Console),
        Some(given) => Some(ExpectedHostKey::Known(HostKey::parse(given)?)),
        None if userdata::joins(own) => None,
        None => Some(ExpectedHostKey::Console),
    };
    let only_ecdsa = settings.connect.key_type == Some(plan::KeyType::Ecdsa);
    let identity = match given {
        // Without need, user data of other formats, and machines without any, are left alone.
        Some(expected) if only_ecdsa && !others.is_empty() => {
            let data = userdata::with_keys(Installed { hosts: &[], login: others }, own)?;
            HostIdentity { expected, user_data: Some(data), login: others }
        }
        Some(expected) => HostIdentity { expected, user_data: own.map(userdata::plain).transpose()?, login: &[] },
        None => {
            let kinds = match settings.connect.host_key_type {
                None => HOST_KEYS.to_vec(),
                Some(kind) => vec![access::key_type(kind)],
            };
            let hosts: Vec<Key> =
                kinds.iter().map(|kind| Key::generate(*kind, "ami-bake host key")).collect::<Result<_>>()?;
            with_keys(&hosts, others, usize::from(only_ecdsa), own)?
        }
    };
    if settings.connect.key.is_none() && only_ecdsa && identity.login.is_empty() {
        return Err(Error::preflight("an ECDSA login key can't be installed with this user data").help(
            "EC2 does not import ECDSA keys, and only cloud-init installs them. Use `connect: {key-type: rsa}` or `ed25519`.",
        ));
    }
    Ok(identity)
}

/// User data with as many of the keys as fit below EC2's limit: at least one host key and `least` login keys.
fn with_keys<'a>(hosts: &[Key], login: &'a [Key], least: usize, own: Option<&str>) -> Result<HostIdentity<'a>> {
    let (mut hosts, mut login) = (hosts, login);
    loop {
        match userdata::with_keys(Installed { hosts, login }, own) {
            Ok(data) => {
                let known = HostKey::OneOf(hosts.iter().map(Key::public).collect());
                return Ok(HostIdentity { expected: ExpectedHostKey::Known(known), user_data: Some(data), login });
            }
            Err(error) if hosts.len() <= 1 && login.len() <= least => return Err(error),
            Err(_) => {
                hosts = &hosts[..hosts.len().saturating_sub(1).max(1)];
                login = &login[..login.len().saturating_sub(1).max(least).min(login.len())];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many host keys and login keys are installed beside own user data of this length.
    fn kept(length: usize, key_type: Option<plan::KeyType>) -> Option<(usize, usize)> {
        let key = |kind| Key::generate(kind, "login").unwrap();
        let others = match key_type {
            None => vec![key(KeyType::Ecdsa), key(KeyType::Rsa)],
            Some(_) => vec![key(KeyType::Ecdsa)],
        };
        let keys = LoginKeys { imported: key(KeyType::Ed25519), others };
        let connect = plan::Connect { key_type, ..plan::Connect::default() };
        let user_data = Some(format!("#!/bin/sh\n{}", "#".repeat(length)));
        let settings = MachineSettings { connect, user_data, ..MachineSettings::default() };
        let identity = host_identity(&settings, &keys).ok()?;
        let ExpectedHostKey::Known(HostKey::OneOf(hosts)) = identity.expected else { return None };
        Some((hosts.len(), identity.login.len()))
    }

    #[test]
    fn as_many_types_of_keys_are_installed_as_fit_into_the_user_data() {
        assert_eq!(kept(0, None), Some((3, 2)));
        assert_eq!(kept(12_500, None), Some((2, 1)));
        assert_eq!(kept(15_000, None), Some((1, 0)));
        assert_eq!(kept(16_384, None), None);
        assert_eq!(kept(15_000, Some(plan::KeyType::Ecdsa)), Some((1, 1)));
        assert_eq!(kept(15_800, Some(plan::KeyType::Ecdsa)), None);
    }
}
