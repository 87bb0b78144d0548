//! What a machine and its connections share.

use bollard::Docker;
use bollard::models::ImageConfig;

/// A container that is a machine of a bake.
pub(super) struct ContainerState {
    pub(super) docker: Docker,
    /// Its name, by which the daemon and the ledger know it.
    pub(super) name: String,
    /// The configuration of its source image.
    pub(super) config: ImageConfig,
}
