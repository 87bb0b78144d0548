//! Lowers `machine` to the settings of core.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use ami_bake_core::plan::{
    AddressKind, Connect, DataSource, Disk, Firmware, JumpHost, KeyType, LoginKey, MachineSettings, Metadata,
    RootLogin, RootProgram, SubnetFilter, TestConnect, Value, VirtualHardware, Volume, VpcFilter,
};

use crate::access::{FileAccess, FileError};
use crate::model::{
    self, Address, DataSourceChoice, FirmwareChoice, NetworkChoice, SubnetChoice, TokenChoice, VpcChoice,
};
use crate::secret::value;

/// The settings of an image's machine, including the content of the policy's file.
///
/// # Errors
/// When the policy's file can't be read.
pub(crate) fn machine(
    machine: Option<&model::Machine>,
    folder: &Path,
    access: &FileAccess,
) -> Result<MachineSettings, String> {
    let Some(machine) = machine else {
        return Ok(MachineSettings::default());
    };
    let (subnets, subnet_filter) = match &machine.subnet {
        None => (Vec::new(), None),
        Some(SubnetChoice::Ids(ids)) => (texts(&ids.0, |one| &one.0), None),
        Some(SubnetChoice::Filter(filter)) => (Vec::new(), Some(self::subnet_filter(filter))),
    };
    Ok(MachineSettings {
        types: texts(&machine.r#type.0, |one| &one.0),
        spot: machine.spot.unwrap_or(false),
        subnets,
        subnet_filter,
        security_groups: texts(&machine.security_groups.0, |one| &one.0),
        public_ip: machine.public_ip,
        profile: machine.profile.clone(),
        policy: machine.policy.as_ref().map(|policy| self::policy(&policy.0, folder, access)).transpose()?,
        disk: machine.disk.as_ref().map(disk).unwrap_or_default(),
        volumes: machine.volumes.iter().map(volume).collect(),
        lineage: machine.lineage.unwrap_or(false),
        user: machine.user.0.first().map(|user| user.0.clone()),
        other_users: machine.user.0.iter().skip(1).map(|user| user.0.clone()).collect(),
        user_data: machine.user_data.clone(),
        connect: machine.connect.as_ref().map(|connect| self::connect(&connect.0, folder)).unwrap_or_default(),
        ingress: machine.ingress.iter().map(|range| range.0.clone()).collect(),
        metadata: machine.metadata.as_ref().map(metadata).unwrap_or_default(),
        tags: machine.tags.0.iter().cloned().collect(),
        lifetime: machine.lifetime.as_ref().and_then(model::DurationText::duration),
        // Set for the whole file, not per image.
        hourly: BTreeMap::new(),
        network: machine.network.map(|network| network == NetworkChoice::Host),
        hardware: hardware(machine),
    })
}

fn hardware(machine: &model::Machine) -> VirtualHardware {
    VirtualHardware {
        cpus: machine.cpus,
        memory: machine.memory.as_ref().and_then(model::SizeText::bytes),
        firmware: machine.firmware.map(|firmware| match firmware {
            FirmwareChoice::Bios => Firmware::Bios,
            FirmwareChoice::Uefi => Firmware::Uefi,
        }),
        datasource: machine.datasource.and_then(|source| match source {
            DataSourceChoice::Auto => None,
            DataSourceChoice::Ec2 => Some(DataSource::Ec2),
            DataSourceChoice::Nocloud => Some(DataSource::Nocloud),
        }),
    }
}

fn subnet_filter(filter: &model::SubnetFilter) -> SubnetFilter {
    let tags = |tags: &model::Ordered<String>| tags.0.iter().cloned().collect();
    let vpc = filter.vpc.as_ref().map(|vpc| match vpc {
        VpcChoice::Id(id) => VpcFilter::Id(id.0.clone()),
        VpcChoice::Filter(filter) => VpcFilter::Tags(tags(&filter.tags)),
    });
    SubnetFilter { tags: tags(&filter.tags), vpc }
}

fn texts<T>(all: &[T], text: impl Fn(&T) -> &String) -> Vec<String> {
    all.iter().map(|one| text(one).clone()).collect()
}

/// Maximum size of a role's inline policy (IAM quotas: 10,240 characters without white space).
const POLICY_LIMIT: usize = 10_240;
/// Maximum size of the policy's file in bytes, including white space, which does not count for IAM.
const POLICY_FILE: u64 = 1 << 20;

fn policy(policy: &serde_json::Value, folder: &Path, access: &FileAccess) -> Result<String, String> {
    let document = match policy {
        serde_json::Value::String(text) if text.trim_start().starts_with('{') => {
            serde_json::from_str(text).map_err(|error| format!("the policy is not JSON: {error}"))?
        }
        serde_json::Value::String(path) => {
            let text = access.read(&folder.join(path), POLICY_FILE).map_err(|error| match error {
                FileError::Forbidden { message, .. } => message,
                error => format!("could not read the policy {path}: {error}"),
            })?;
            serde_json::from_slice(&text).map_err(|error| format!("the policy {path} is not JSON: {error}"))?
        }
        document => document.clone(),
    };
    if document.get("Statement").is_none() {
        return Err("the policy has no `Statement`".to_owned());
    }
    let text = document.to_string();
    if text.len() > POLICY_LIMIT {
        return Err(format!("the policy is too long: {} characters, the limit of IAM is {POLICY_LIMIT}", text.len()));
    }
    Ok(text)
}

fn disk(disk: &model::Disk) -> Disk {
    Disk {
        size: disk.size,
        kind: disk.r#type.map(|kind| kind.as_str().to_owned()),
        iops: disk.iops,
        throughput: disk.throughput,
        encrypted: disk.encrypted,
        kms_key: disk.kms_key.as_ref().map(|key| key.0.clone()),
        fast: disk.fast,
        delete_on_termination: disk.delete_on_termination,
    }
}

fn volume(volume: &model::Volume) -> Volume {
    let device = if volume.device.starts_with('/') { volume.device.clone() } else { format!("/dev/{}", volume.device) };
    let disk = Disk {
        size: volume.size,
        kind: volume.r#type.map(|kind| kind.as_str().to_owned()),
        iops: volume.iops,
        throughput: volume.throughput,
        encrypted: volume.encrypted,
        kms_key: volume.kms_key.as_ref().map(|key| key.0.clone()),
        fast: None,
        delete_on_termination: volume.delete_on_termination,
    };
    Volume {
        device,
        disk,
        scratch: volume.scratch.unwrap_or(false),
        snapshot: volume.snapshot.clone(),
        empty: volume.empty.unwrap_or(false),
        host: volume.virtual_name.clone(),
    }
}

fn connect(connect: &model::Connect, folder: &Path) -> Connect {
    Connect {
        address: connect.address.map(|address| match address {
            Address::Public => AddressKind::Public,
            Address::Private => AddressKind::Private,
            Address::Ipv6 => AddressKind::Ipv6,
        }),
        jump: connect.jump.as_ref().map(|jump| JumpHost {
            host: jump.host.clone(),
            port: jump.port,
            user: jump.user.clone(),
            key: jump.key.as_ref().map(|key| folder.join(key).display().to_string()),
            host_key: jump.host_key.clone(),
        }),
        host_key: connect.host_key.clone(),
        port: connect.port,
        timeout: connect
            .timeout
            .as_ref()
            .and_then(model::DurationText::duration)
            .filter(|timeout| *timeout > Duration::ZERO),
        key_type: connect.key_type.map(key_type),
        host_key_type: connect.host_key_type.map(key_type),
        pty: connect.pty.unwrap_or(false),
        root: connect.r#as.as_ref().map(|login| RootLogin {
            through: login.through.map(|program| match program {
                model::RootProgram::Sudo => RootProgram::Sudo,
                model::RootProgram::Doas => RootProgram::Doas,
                model::RootProgram::Su => RootProgram::Su,
            }),
            password: login.password.as_deref().map(value),
        }),
        key: None,
        outside: None,
    }
}

fn key_type(kind: model::KeyType) -> KeyType {
    match kind {
        model::KeyType::Ed25519 => KeyType::Ed25519,
        model::KeyType::Ecdsa => KeyType::Ecdsa,
        model::KeyType::Rsa => KeyType::Rsa,
    }
}

/// How the test connects; the path of a key file is relative to the manifest.
pub(crate) fn test_connect(connect: &model::TestConnect, folder: &Path) -> TestConnect {
    let login = match connect {
        model::TestConnect::None(_) => return TestConnect::None,
        model::TestConnect::Login(login) => login,
    };
    let key = login.key.as_deref().map(|text| match value(text) {
        Value::Plain(path) => LoginKey::File(folder.join(path).display().to_string()),
        secret @ Value::Secret(_) => LoginKey::Secret(secret),
    });
    TestConnect::Login { user: login.user.as_ref().map(|user| user.0.clone()), port: login.port, key }
}

fn metadata(metadata: &model::Metadata) -> Metadata {
    Metadata { tokens_required: metadata.tokens.map(|tokens| tokens == TokenChoice::Required), hops: metadata.hops }
}
