//! Settings of container images: their configuration, and the registry that they are pushed to.

use serde::{Deserialize, Serialize};

use crate::plan::Value;

/// Repository, tags and configuration of a container image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerPublish {
    /// The repository, with its registry: `registry.example.com/shop/web`.
    pub repository: String,
    /// Tags in the repository.
    pub tags: Vec<String>,
    /// True to push the image to the registry; else it is only tagged.
    pub push: bool,
    /// Value of `publish.if`: false leaves the image where it was baked, without these tags.
    pub published: bool,
    /// Credentials. Default: those of the platform's own configuration.
    pub login: Option<RegistryLogin>,
    /// Changes to the image's configuration.
    pub changes: ContainerChanges,
}

/// Credentials for a registry, as references to secrets rather than their values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryLogin {
    /// User name.
    pub username: Value,
    /// Password or token.
    pub password: Value,
}

/// Changes of an image's configuration (the Dockerfile instructions that change no file). Empty or `None` keeps the
/// source's value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerChanges {
    /// Labels, added to the source's.
    pub labels: Vec<(String, String)>,
    /// Environment variables; they override the source's.
    pub env: Vec<(String, String)>,
    /// Entry point; a new one drops the source's command, as in a Dockerfile.
    pub entrypoint: Vec<String>,
    /// Command.
    pub cmd: Vec<String>,
    /// Exposed ports, `80` or `53/udp`, added to the source's.
    pub expose: Vec<String>,
    /// User.
    pub user: Option<String>,
    /// Working directory.
    pub workdir: Option<String>,
}
