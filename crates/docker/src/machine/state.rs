//! State that a machine and its connections share.

use bollard::Docker;
use bollard::models::ImageConfig;

/// A container that is a machine of a bake.
pub(super) struct ContainerState {
    pub(super) docker: Docker,
    /// Name of the container in the daemon and the ledger.
    pub(super) name: String,
    /// Configuration of the source image.
    pub(super) config: ImageConfig,
}
