//! Settings of the machines that an image is baked and tested on.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::plan::{Price, Value};

/// How to connect to the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connect {
    /// The address to use. Default: the public one if there is one.
    pub address: Option<AddressKind>,
    /// A jump host to connect through.
    pub jump: Option<JumpHost>,
    /// The machine's host key in OpenSSH format, or `accept-new`. Default: a key that the bake generates.
    pub host_key: Option<String>,
    /// The SSH port. Default: 22.
    pub port: Option<u16>,
    /// Time limit for the machine to become reachable after launch.
    pub timeout: Option<Duration>,
    /// Type of the login key pair. Default: keys of several types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_type: Option<KeyType>,
    /// Type of the host key. Default: keys of several types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key_type: Option<KeyType>,
    /// Become root in a pseudo-terminal. Default: only if sudo requires one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pty: bool,
    /// How the login user becomes root. Default: with sudo, without a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<RootLogin>,
    /// A login key that the image knows, instead of keys that the bake generates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<LoginKey>,
    /// Do not log in: these TCP ports of the machine are connected to from this computer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<Vec<u16>>,
}

/// Type of an SSH key pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyType {
    /// Ed25519.
    Ed25519,
    /// ECDSA on the curve NIST P-256.
    Ecdsa,
    /// RSA with 3072 bits.
    Rsa,
}

/// How the login user becomes root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootLogin {
    /// The program. Default: the first of sudo, doas and su that is installed.
    pub through: Option<RootProgram>,
    /// The password that the program asks for. Default: none.
    pub password: Option<Value>,
}

/// A program that runs commands as root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootProgram {
    /// sudo(8), which asks for the password of the login user.
    Sudo,
    /// doas(1), which asks for the password of the login user.
    Doas,
    /// su(1), which asks for root's password.
    Su,
}

/// A private key to log in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoginKey {
    /// Path of the file.
    File(String),
    /// The key itself.
    Secret(Value),
}

/// How the test of an image connects to its machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TestConnect {
    /// Not at all: the machine is checked from outside.
    None,
    /// With another login than the build. Unset fields are as in the build.
    Login {
        /// Login name.
        user: Option<String>,
        /// SSH port.
        port: Option<u16>,
        /// The private key.
        key: Option<LoginKey>,
    },
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
    /// The SSH port. Default: 22.
    pub port: Option<u16>,
    /// Login name.
    pub user: String,
    /// File with the private key for the jump host. Default: keys of the SSH agent, or the bake's own.
    pub key: Option<String>,
    /// The jump host's key in OpenSSH format, or `accept-new`.
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
    /// Throughput in MiB per second.
    pub throughput: Option<u32>,
    /// True to encrypt. Default: the account's own setting.
    pub encrypted: Option<bool>,
    /// The customer key to encrypt with.
    pub kms_key: Option<String>,
    /// Bake on the fastest volume of the type, and register the image with the manifest's values. Default: on for gp3.
    pub fast: Option<bool>,
    /// Whether the disk of an instance of the image is deleted with it. Default: the source image's setting, else true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_on_termination: Option<bool>,
}

/// A further disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Device name, such as `/dev/sdf`.
    pub device: String,
    /// Size and kind.
    pub disk: Disk,
    /// True for a disk that only build machines have: it is not part of the image.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub scratch: bool,
    /// ID of the snapshot that the build machine's disk is created from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// True for a disk that only instances of the image have: new and empty each time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty: bool,
    /// The disk of the host that is mapped to the device instead of a volume, such as `ephemeral0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// The metadata service of the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// `true`: a session token is required (IMDSv2), the default.
    pub tokens_required: Option<bool>,
    /// Hop limit of answers, 1 to 64.
    pub hops: Option<u8>,
}

/// The hardware of a virtual machine that this computer runs. Unset fields are left to the platform.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualHardware {
    /// Number of processors.
    pub cpus: Option<u16>,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// What starts the system on the disk.
    pub firmware: Option<Firmware>,
    /// Where cloud-init finds its data. Default: both.
    pub datasource: Option<DataSource>,
}

impl VirtualHardware {
    /// True when the manifest sets nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The firmware of a virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firmware {
    /// A PC BIOS.
    Bios,
    /// UEFI.
    Uefi,
}

/// A data source of cloud-init.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataSource {
    /// The metadata service of EC2.
    Ec2,
    /// A small disk with the data (NoCloud).
    Nocloud,
}

/// Subnets by what is known of them instead of by ID.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetFilter {
    /// Tags that they have; `*` and `?` in a value are wildcards.
    pub tags: BTreeMap<String, String>,
    /// Their VPC; any without.
    pub vpc: Option<VpcFilter>,
}

/// One VPC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VpcFilter {
    /// By its ID.
    Id(String),
    /// The only one with these tags; `*` and `?` in a value are wildcards.
    Tags(BTreeMap<String, String>),
}

/// The manifest's `machine`, resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineSettings {
    /// Machine types, tried in order until one has capacity.
    pub types: Vec<String>,
    /// True to use spot capacity.
    pub spot: bool,
    /// Subnets, tried in order. Default: those of the filter, else those of the default VPC.
    pub subnets: Vec<String>,
    /// Finds the subnets, instead of `subnets`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_filter: Option<SubnetFilter>,
    /// Existing security groups to use instead of a temporary one.
    pub security_groups: Vec<String>,
    /// Whether the machine gets a public address. Default: the subnet's setting.
    pub public_ip: Option<bool>,
    /// Name of an existing instance profile.
    pub profile: Option<String>,
    /// An inline IAM policy document for a temporary role and profile.
    pub policy: Option<String>,
    /// The root disk.
    pub disk: Disk,
    /// Further disks.
    pub volumes: Vec<Volume>,
    /// Keep a private copy of the source's snapshot so that the first snapshot is incremental.
    pub lineage: bool,
    /// Login name. Default: derived from the source image.
    pub user: Option<String>,
    /// Further login names, tried in this order after `user`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_users: Vec<String>,
    /// User data from the manifest.
    pub user_data: Option<String>,
    /// How to connect to the machine.
    pub connect: Connect,
    /// CIDRs that may connect to the machine. Default: the runner's own address.
    pub ingress: Vec<String>,
    /// Metadata service.
    pub metadata: Metadata,
    /// Further tags of the machine.
    pub tags: BTreeMap<String, String>,
    /// Time after which the machine ends by itself.
    pub lifetime: Option<Duration>,
    /// Hourly price per machine type from the manifest, used only for estimates.
    pub hourly: BTreeMap<String, Price>,
    /// Local platform: `Some(false)` gives the machine no network.
    pub network: Option<bool>,
    /// Hardware of a virtual machine.
    #[serde(default, skip_serializing_if = "VirtualHardware::is_default")]
    pub hardware: VirtualHardware,
}
