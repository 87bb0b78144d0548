//! The machine that an image is baked on.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;

use super::{Cidr, DurationText, KmsKey, OneOrMany, Ordered, Short, Shorthand};

/// The machine that an image is baked and tested on.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Machine {
    /// Machine types; a list is tried in order when one has no capacity.
    pub r#type: OneOrMany<String>,
    /// Bake on spot capacity.
    pub spot: Option<bool>,
    /// Subnets, tried in order; the default VPC's without.
    pub subnet: OneOrMany<String>,
    /// Existing security groups, instead of a temporary one.
    pub security_groups: OneOrMany<String>,
    /// Ask for a public address; the subnet's setting without.
    pub public_ip: Option<bool>,
    /// An existing instance profile.
    pub profile: Option<String>,
    /// An IAM policy for a temporary role and profile: inline, or the path of a JSON file.
    pub policy: Option<Policy>,
    /// The root disk.
    pub disk: Option<Disk>,
    /// Further disks.
    pub volumes: Vec<Volume>,
    /// Keep a private copy of the source's snapshot, so that the first snapshot is incremental.
    pub lineage: Option<bool>,
    /// The login name; found from the source image without.
    pub user: Option<String>,
    /// User data of your own, beside what the bake needs.
    pub user_data: Option<String>,
    /// How the machine is reached.
    pub connect: Option<Short<Connect>>,
    /// Addresses that may reach the machine. Default: the runner's own.
    pub ingress: Vec<Cidr>,
    /// The instance metadata service.
    pub metadata: Option<Metadata>,
    /// Further tags of the machine and its disks.
    pub tags: Ordered<String>,
    /// How long the machine may live when nobody ends it. Default: 2 h over the steps' own limits.
    pub lifetime: Option<DurationText>,
    /// The machine's network, on the local platform.
    pub network: Option<NetworkChoice>,
}

/// The network of a local machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkChoice {
    /// The host's network.
    Host,
    /// No network.
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

/// How the machine is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Connect {
    /// Which of its addresses is used. Default: the public one where there is one.
    pub address: Option<Address>,
    /// A host in between.
    pub jump: Option<Jump>,
    /// The machine's host key in OpenSSH's form, or `accept-new`. Default: a key that the bake makes itself.
    pub host_key: Option<String>,
    /// The SSH port. Default: 22.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// The limit for the machine to become reachable after its launch.
    pub timeout: Option<DurationText>,
}

impl Shorthand for Connect {
    const KEY: &'static str = "address";
}

/// Which address of the machine is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Address {
    /// The public one.
    Public,
    /// The one inside of the network.
    Private,
}

/// An SSH jump host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Jump {
    /// Its name or address.
    pub host: String,
    /// Its SSH port. Default: 22.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// The login name on it.
    pub user: String,
    /// The file of the private key; the SSH agent's keys, then the bake's own without.
    pub key: Option<String>,
    /// Its host key in OpenSSH's form, or `accept-new`.
    pub host_key: Option<String>,
}

/// A disk. What is not said stays as in the source image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Disk {
    /// Size in GiB.
    #[schemars(range(min = 1, max = 65536))]
    pub size: Option<u32>,
    /// Volume type.
    pub r#type: Option<VolumeType>,
    /// I/O operations per second.
    #[schemars(range(min = 100, max = 256_000))]
    pub iops: Option<u32>,
    /// MiB per second.
    #[schemars(range(min = 125, max = 2000))]
    pub throughput: Option<u32>,
    /// Encrypt it; the account's own setting without.
    pub encrypted: Option<bool>,
    /// The key to encrypt with.
    pub kms_key: Option<KmsKey>,
    /// Bake on the fastest volume of the type and register your values. Default: on for gp3.
    pub fast: Option<bool>,
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
    /// Throughput optimised HDD.
    St1,
    /// Cold HDD.
    Sc1,
    /// Magnetic.
    Standard,
}

impl VolumeType {
    /// EC2's name of it.
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

/// A further disk.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Volume {
    /// The device name.
    #[schemars(regex(pattern = r"^(/dev/)?(sd[b-z][0-9]*|xvd[b-z][a-z]?)$"), title = "a device name", extend("examples" = ["/dev/sdf"]))]
    pub device: String,
    /// Size in GiB.
    #[schemars(range(min = 1, max = 65536))]
    pub size: Option<u32>,
    /// Volume type.
    pub r#type: Option<VolumeType>,
    /// I/O operations per second.
    #[schemars(range(min = 100, max = 256_000))]
    pub iops: Option<u32>,
    /// MiB per second.
    #[schemars(range(min = 125, max = 2000))]
    pub throughput: Option<u32>,
    /// Encrypt it; the account's own setting without.
    pub encrypted: Option<bool>,
    /// The key to encrypt with.
    pub kms_key: Option<KmsKey>,
}

/// The instance metadata service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Metadata {
    /// Whether a session token is needed (IMDSv2). Default: `required`.
    pub tokens: Option<TokenChoice>,
    /// How many network hops an answer may take.
    #[schemars(range(min = 1, max = 64))]
    pub hops: Option<u8>,
}

/// Whether a session token is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenChoice {
    /// IMDSv2 alone.
    Required,
    /// IMDSv1 too.
    Optional,
}
