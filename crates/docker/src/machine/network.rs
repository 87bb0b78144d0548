//! Which network a machine has.

use ami_bake_core::{ErrorKind, Result};
use bollard::Docker;
use bollard::query_parameters::InspectNetworkOptions;

use crate::engine::{failed, is_missing};

/// The engine's own network of containers: each machine has its ports to itself.
const BRIDGE: &str = "bridge";
/// The network of the engine's machine.
pub(super) const HOST: &str = "host";
/// None but the loopback interface.
const NONE: &str = "none";

/// The network that the manifest asks for: none, or the engine's bridge; an engine without a bridge (`--bridge=none`)
/// shares its own.
pub(super) async fn of(docker: &Docker, wanted: Option<bool>) -> Result<String> {
    if wanted == Some(false) {
        return Ok(NONE.to_owned());
    }
    match docker.inspect_network(BRIDGE, None::<InspectNetworkOptions>).await {
        Ok(_) => Ok(BRIDGE.to_owned()),
        Err(error) if is_missing(&error) => Ok(HOST.to_owned()),
        Err(error) => Err(failed(ErrorKind::Build, "look at the engine's networks", &error)),
    }
}
