//! What an image is beyond its files where the platform's images are those of containers, and which registry gets it.

use serde::{Deserialize, Serialize};

use crate::plan::Value;

/// Repository, tags and configuration of a container image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerPublish {
    /// The repository, with its registry: `registry.example.com/shop/web`.
    pub repository: String,
    /// The tags that it gets there.
    pub tags: Vec<String>,
    /// Send it to the registry; without, it is only tagged.
    pub push: bool,
    /// The truth of `publish.if`: false leaves the image where it was baked, without these tags.
    pub published: bool,
    /// Credentials; the platform's own configuration without.
    pub login: Option<RegistryLogin>,
    /// Changes to the image's configuration.
    pub changes: ContainerChanges,
}

/// Credentials for a registry. They name secrets, and do not contain their values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryLogin {
    /// The user.
    pub username: Value,
    /// The password or token.
    pub password: Value,
}

/// Changes of an image's configuration (the instructions of a Dockerfile that touch no file). What is empty or none
/// stays as the source has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerChanges {
    /// Labels, added to the source's.
    pub labels: Vec<(String, String)>,
    /// Environment, over the source's.
    pub env: Vec<(String, String)>,
    /// Entry point; a new one drops the source's command, as in a Dockerfile.
    pub entrypoint: Vec<String>,
    /// Command.
    pub cmd: Vec<String>,
    /// Ports that are exposed, `80` or `53/udp`, added to the source's.
    pub expose: Vec<String>,
    /// User.
    pub user: Option<String>,
    /// Working directory.
    pub workdir: Option<String>,
}
