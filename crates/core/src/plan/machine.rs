//! The machine that an image is baked on.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::plan::Price;

/// How to connect to the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connect {
    /// The address to use; the default is the public one where there is one.
    pub address: Option<AddressKind>,
    /// A host in between.
    pub jump: Option<JumpHost>,
    /// The machine's host key in OpenSSH's form, or `accept-new`; the default is a key that the bake makes itself.
    pub host_key: Option<String>,
    /// The SSH port; 22 where nothing is said.
    pub port: Option<u16>,
    /// The limit for the machine to become reachable after launch.
    pub timeout: Option<Duration>,
}

/// An address of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AddressKind {
    /// The public IPv4 address.
    Public,
    /// The private address.
    Private,
    /// The IPv6 address.
    Ipv6,
}

/// An SSH jump host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JumpHost {
    /// Host name or address.
    pub host: String,
    /// Port; 22 where nothing is said.
    pub port: Option<u16>,
    /// Login name.
    pub user: String,
    /// The file of the private key for the jump host; the SSH agent's or the bake's own key without it.
    pub key: Option<String>,
    /// The jump host's key in OpenSSH's form, or `accept-new`.
    pub host_key: Option<String>,
}

/// The root disk. Unset fields keep the source image's values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Size in GiB.
    pub size: Option<u32>,
    /// Volume type, such as `gp3`.
    pub kind: Option<String>,
    /// I/O operations per second.
    pub iops: Option<u32>,
    /// MiB per second.
    pub throughput: Option<u32>,
    /// Encrypt; unset means the account's own setting.
    pub encrypted: Option<bool>,
    /// The customer key to encrypt with.
    pub kms_key: Option<String>,
    /// Bake on the fastest volume of the type and register the manifest's values; on by default for gp3.
    pub fast: Option<bool>,
}

/// A further disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Device name, such as `/dev/sdf`.
    pub device: String,
    /// Size and kind.
    pub disk: Disk,
    /// True for a disk that only the build steps have: it is not part of the image.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub scratch: bool,
}

/// The metadata service of the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// `true`: a session token is required (IMDSv2), the default.
    pub tokens_required: Option<bool>,
    /// Hop limit of the answer, 1 to 64.
    pub hops: Option<u8>,
}

/// What the manifest's `machine` says, resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineSettings {
    /// Machine types, tried in order when one has no capacity.
    pub types: Vec<String>,
    /// Bake on spot capacity.
    pub spot: bool,
    /// Subnets, tried in order; the default VPC's without.
    pub subnets: Vec<String>,
    /// Existing security groups to use instead of a temporary one.
    pub security_groups: Vec<String>,
    /// Ask for a public address; the subnet's setting without.
    pub public_ip: Option<bool>,
    /// An existing instance profile.
    pub profile: Option<String>,
    /// An inline IAM policy document for a temporary role and profile.
    pub policy: Option<String>,
    /// The root disk.
    pub disk: Disk,
    /// Further disks.
    pub volumes: Vec<Volume>,
    /// Keep a private copy of the source's snapshot so that the first snapshot is incremental.
    pub lineage: bool,
    /// Login name; found from the source image without.
    pub user: Option<String>,
    /// User data of the manifest's own.
    pub user_data: Option<String>,
    /// How to connect to the machine.
    pub connect: Connect,
    /// CIDRs that may reach the machine; the runner's own address without.
    pub ingress: Vec<String>,
    /// Metadata service.
    pub metadata: Metadata,
    /// Further tags of the machine.
    pub tags: BTreeMap<String, String>,
    /// The dead-man timer.
    pub lifetime: Option<Duration>,
    /// What types cost an hour, as the manifest says it; nobody is charged by it.
    pub hourly: BTreeMap<String, Price>,
    /// Local platform: `Some(false)` gives the machine no network.
    pub network: Option<bool>,
}
