//! The manifest's `machine`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;

use super::{
    Cidr, DurationText, KmsKey, LoginName, MachineType, OneOrMany, Ordered, SecurityGroupId, Short, Shorthand,
    SizeText, SubnetChoice,
};

/// The machine to build and test an image on.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Machine {
    /// Machine types. If one has no capacity, the next in the list is tried.
    pub r#type: OneOrMany<MachineType>,
    /// Use spot capacity. Default: `false`.
    pub spot: Option<bool>,
    /// Subnets, tried in order, or a filter that finds them. Default: the subnets of the default VPC.
    pub subnet: Option<SubnetChoice>,
    /// Existing security groups to use instead of a temporary one.
    pub security_groups: OneOrMany<SecurityGroupId>,
    /// Whether the machine gets a public address. Default: the subnet's setting.
    pub public_ip: Option<bool>,
    /// An existing instance profile to attach.
    pub profile: Option<String>,
    /// An IAM policy for a temporary role and instance profile: inline, or the path of a JSON file.
    pub policy: Option<Policy>,
    /// The root disk.
    pub disk: Option<Disk>,
    /// Additional disks.
    pub volumes: Vec<Volume>,
    /// Keep a private copy of the source's snapshot, so that the first snapshot of a bake is incremental. Default:
    /// `false`.
    pub lineage: Option<bool>,
    /// The login name, or several that are tried in order. Default: derived from the source image.
    pub user: OneOrMany<LoginName>,
    /// Your own user data, in addition to what the bake needs.
    pub user_data: Option<String>,
    /// How to connect to the machine.
    pub connect: Option<Short<Connect>>,
    /// Address ranges that may connect to the machine. Default: the address of the runner.
    pub ingress: Vec<Cidr>,
    /// Settings of the instance metadata service.
    pub metadata: Option<Metadata>,
    /// Additional tags of the machine, its disks and its network interface.
    #[schemars(schema_with = "super::publish::tags")]
    pub tags: Ordered<String>,
    /// When the machine shuts itself down if the bake no longer can. Default: 2 hours plus the time limits of the
    /// steps.
    pub lifetime: Option<DurationText>,
    /// The machine's network on the platforms `local` and `vm`.
    pub network: Option<NetworkChoice>,
    /// The number of processors on the platform `vm`. Default: `2`, or what this computer has.
    #[schemars(range(min = 1, max = 255))]
    pub cpus: Option<u16>,
    /// The memory on the platform `vm`. Default: `2GiB`.
    pub memory: Option<SizeText>,
    /// The firmware on the platform `vm`. Default: `bios` on x86_64, `uefi` on arm64.
    pub firmware: Option<FirmwareChoice>,
    /// Where cloud-init finds its data on the platform `vm`. Default: `auto`.
    pub datasource: Option<DataSourceChoice>,
}

/// The firmware of a virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FirmwareChoice {
    /// PC BIOS.
    Bios,
    /// UEFI.
    Uefi,
}

/// A data source of cloud-init.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DataSourceChoice {
    /// Both: cloud-init takes the first that the image's `datasource_list` allows.
    Auto,
    /// The EC2 metadata service.
    Ec2,
    /// A small disk with the data (NoCloud).
    Nocloud,
}

/// The network of a machine on the platforms `local` and `vm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkChoice {
    /// The host's network. A virtual machine reaches it through address translation.
    Host,
    /// No network; a virtual machine still answers over SSH.
    None,
}

/// An IAM policy document, or the path of a file that holds one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Policy(pub Value);

impl JsonSchema for Policy {
    fn schema_name() -> Cow<'static, str> {
        "Policy".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An IAM policy document as a map, or the path of a JSON file that holds one.",
            "type": ["string", "object"],
        })
    }
}

/// How to connect to the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Connect {
    /// Which address to connect to. Default: the public one if the machine has one.
    pub address: Option<Address>,
    /// A jump host.
    pub jump: Option<Jump>,
    /// The machine's host key in OpenSSH format, or `accept-new`. Default: a key that the bake generates.
    pub host_key: Option<String>,
    /// The SSH port. Default: `22`.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// How long to wait for the first connection after the launch. Default: `5m`, on bare metal `25m`.
    pub timeout: Option<DurationText>,
    /// The type of the login key. Default: an Ed25519, an ECDSA and an RSA key, of which the machine accepts one.
    pub key_type: Option<KeyType>,
    /// The type of the host key that the bake generates. Default: an Ed25519, an ECDSA and an RSA key, of which the
    /// machine uses one.
    pub host_key_type: Option<KeyType>,
    /// Become root in a pseudo-terminal. Default: only when sudo says that it requires one.
    pub pty: Option<bool>,
    /// How the login user becomes root. Default: with `sudo`, without a password.
    pub r#as: Option<RootLogin>,
}

/// The type of an SSH key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct RootLogin {
    /// The user to become: `root`, whose rights the steps need.
    pub user: Option<RootUser>,
    /// The password that the program asks for: a secret, `${{ secrets.NAME }}`. It is typed into a terminal.
    pub password: Option<String>,
    /// The program. Default: the first of `sudo`, `doas` and `su` that is installed.
    pub through: Option<RootProgram>,
}

/// The user whose rights the steps need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RootUser {
    /// The superuser.
    Root,
}

/// A program that runs commands as root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RootProgram {
    /// Asks for the password of the login user.
    Sudo,
    /// Asks for the password of the login user.
    Doas,
    /// Asks for the password of root.
    Su,
}

/// How the test connects to the machine that booted the new image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum TestConnect {
    /// Not at all.
    None(NoLogin),
    /// With another login than the build.
    Login(TestLogin),
}

/// No login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NoLogin {
    /// No login: the machine is checked from outside.
    None,
}

/// A login for the test. What you leave out stays as in the build.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct TestLogin {
    /// The login name.
    pub user: Option<LoginName>,
    /// The SSH port.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// The private key: the path of a file, or a secret, `${{ secrets.NAME }}`. Default: the keys of the bake.
    pub key: Option<String>,
}

impl Shorthand for Connect {
    const KEY: &'static str = "address";
}

/// Which address of the machine to connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Address {
    /// The public address.
    Public,
    /// The private address.
    Private,
    /// The IPv6 address.
    Ipv6,
}

/// An SSH jump host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Jump {
    /// The host name or address.
    pub host: String,
    /// The SSH port. Default: `22`.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// The login name on the jump host.
    pub user: String,
    /// The private key file. Default: the keys of the SSH agent, then the key of the bake.
    pub key: Option<String>,
    /// The host key in OpenSSH format, or `accept-new`.
    pub host_key: Option<String>,
}

/// A disk. What you leave out stays as in the source image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Disk {
    /// The size in GiB.
    #[schemars(range(min = 1, max = 65536))]
    pub size: Option<u32>,
    /// The volume type.
    pub r#type: Option<VolumeType>,
    /// I/O operations per second.
    #[schemars(range(min = 100, max = 256_000))]
    pub iops: Option<u32>,
    /// Throughput in MiB per second.
    #[schemars(range(min = 125, max = 2000))]
    pub throughput: Option<u32>,
    /// Whether the disk is encrypted. Default: the account's setting.
    pub encrypted: Option<bool>,
    /// The KMS key to encrypt with.
    pub kms_key: Option<KmsKey>,
    /// Bake on the fastest volume of its type and register the image with your values. Default: `true` for gp3.
    pub fast: Option<bool>,
    /// Whether the disk of an instance of the image is deleted when the instance is terminated. Default: as in the
    /// source image, else `true`.
    pub delete_on_termination: Option<bool>,
}

/// An EBS volume type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeType {
    /// General purpose SSD.
    Gp3,
    /// General purpose SSD, older.
    Gp2,
    /// Provisioned IOPS SSD.
    Io1,
    /// Provisioned IOPS SSD.
    Io2,
    /// Throughput optimized HDD.
    St1,
    /// Cold HDD.
    Sc1,
    /// Magnetic.
    Standard,
}

impl VolumeType {
    /// Name of the value in the EC2 API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gp3 => "gp3",
            Self::Gp2 => "gp2",
            Self::Io1 => "io1",
            Self::Io2 => "io2",
            Self::St1 => "st1",
            Self::Sc1 => "sc1",
            Self::Standard => "standard",
        }
    }
}

/// An additional disk.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Volume {
    /// The device name.
    #[schemars(regex(pattern = r"^(/dev/)?(sda([2-9]|1[0-5])|sd[b-z][0-9]*|xvd[b-z][a-z]?)$"), title = "device name", extend("examples" = ["/dev/sdf"]))]
    pub device: String,
    /// The size in GiB.
    #[schemars(range(min = 1, max = 65536))]
    pub size: Option<u32>,
    /// The volume type.
    pub r#type: Option<VolumeType>,
    /// I/O operations per second.
    #[schemars(range(min = 100, max = 256_000))]
    pub iops: Option<u32>,
    /// Throughput in MiB per second.
    #[schemars(range(min = 125, max = 2000))]
    pub throughput: Option<u32>,
    /// Whether the disk is encrypted. Default: the account's setting.
    pub encrypted: Option<bool>,
    /// The KMS key to encrypt with.
    pub kms_key: Option<KmsKey>,
    /// Space for the build steps only: the disk does not become part of the image. Default: `false`.
    pub scratch: Option<bool>,
    /// The snapshot that the disk of the build machine is created from.
    #[schemars(regex(pattern = r"^snap-[0-9a-f]{8,17}$"), title = "snapshot ID", extend("examples" = ["snap-0123456789abcdef0"]))]
    pub snapshot: Option<String>,
    /// Only instances of the image have the disk, new and empty each time; the build machine does not. Default: `false`.
    pub empty: Option<bool>,
    /// Maps an instance store volume of the host instead of an EBS volume. NVMe instance store volumes need no mapping.
    #[schemars(regex(pattern = r"^ephemeral([0-9]|1[0-9]|2[0-3])$"), title = "instance store volume", extend("examples" = ["ephemeral0"]))]
    pub virtual_name: Option<String>,
    /// Whether the disk of an instance of the image is deleted when the instance is terminated. Default: as in the
    /// source image, else `true`.
    pub delete_on_termination: Option<bool>,
}

/// Settings of the instance metadata service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Metadata {
    /// Whether requests need a session token (IMDSv2). Default: `required`.
    pub tokens: Option<TokenChoice>,
    /// The hop limit of responses.
    #[schemars(range(min = 1, max = 64))]
    pub hops: Option<u8>,
}

/// Whether requests need a session token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenChoice {
    /// IMDSv2 only.
    Required,
    /// IMDSv2 and IMDSv1.
    Optional,
}
