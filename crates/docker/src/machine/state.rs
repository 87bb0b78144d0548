//! What a machine and its connections share.

use ami_bake_core::{ErrorKind, Result};
use bollard::Docker;
use bollard::models::ImageConfig;
use bollard::query_parameters::RemoveContainerOptions;

use crate::engine::{failed, is_conflict, is_missing};

/// A container that is a machine of a bake.
pub(super) struct ContainerState {
    pub(super) docker: Docker,
    /// Its name, by which the daemon and the ledger know it.
    pub(super) name: String,
    /// The configuration of its source image.
    pub(super) config: ImageConfig,
}

/// Removes a container with its volumes, running or not. A missing container is success.
pub(crate) async fn remove(docker: &Docker, name: &str) -> Result<()> {
    let options = RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
    match docker.remove_container(name, Some(options)).await {
        Ok(()) => Ok(()),
        // Removed, or about to be: "removal of container … is already in progress".
        Err(error) if is_missing(&error) || is_conflict(&error) => Ok(()),
        Err(error) => Err(failed(ErrorKind::Build, format!("remove container {name}"), &error)),
    }
}
