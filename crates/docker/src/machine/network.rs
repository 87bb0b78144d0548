//! Selects the network of a machine.

use ami_bake_core::{ErrorKind, Result};
use bollard::Docker;
use bollard::query_parameters::InspectNetworkOptions;

use crate::engine::{failed, is_missing};

/// Name of the daemon's bridge network, in which each machine has its own ports.
const BRIDGE: &str = "bridge";
/// Name of the host network.
pub(super) const HOST: &str = "host";
/// Name of the network that only has a loopback interface.
const NONE: &str = "none";

/// The network for `machine.network`: none, or the daemon's bridge, or the network of the daemon's machine when the daemon
/// runs without a bridge (`--bridge=none`).
pub(super) async fn of(docker: &Docker, enabled: Option<bool>) -> Result<String> {
    if enabled == Some(false) {
        return Ok(NONE.to_owned());
    }
    match docker.inspect_network(BRIDGE, None::<InspectNetworkOptions>).await {
        Ok(_) => Ok(BRIDGE.to_owned()),
        Err(error) if is_missing(&error) => Ok(HOST.to_owned()),
        Err(error) => Err(failed(ErrorKind::Build, "inspect the Docker daemon's networks", &error)),
    }
}
