//! The platforms of a manifest.

use schemars::JsonSchema;
use serde::Deserialize;

/// Where images are baked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// Amazon EC2: the image is an AMI.
    #[default]
    Aws,
    /// A sandbox on this machine: the image goes to the local store.
    Local,
    /// Docker: the image is a container image.
    Docker,
    /// A virtual machine on this computer: the image goes to the local store.
    Vm,
}

impl Platform {
    /// All platforms that a manifest can name.
    pub const ALL: [Self; 4] = [Self::Aws, Self::Local, Self::Docker, Self::Vm];

    /// Name of the platform in the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Local => "local",
            Self::Docker => "docker",
            Self::Vm => "vm",
        }
    }
}
