//! Removes containers and waits until they are gone.

use std::time::Duration;

use ami_bake_core::{ErrorKind, Result, Run};
use bollard::Docker;
use bollard::query_parameters::RemoveContainerOptions;

use crate::engine::{failed, is_conflict, is_missing};

/// Pause between two requests to the daemon.
const PAUSE: Duration = Duration::from_millis(100);
/// Number of requests while a removal is in progress, or for a container whose creation was not confirmed: 3 s in
/// total, less than the time that a cancelled run has for its clean-up.
const LOOKS: u32 = 30;

/// Removes a container with its volumes, running or not, and returns once it is gone. A missing container is success.
pub(crate) async fn remove(docker: &Docker, run: &Run, name: &str) -> Result<()> {
    removed(docker, run, name, 1).await
}

/// Removes a container whose creation was requested and not confirmed. A busy daemon may create it after the request
/// was given up, so a missing container counts as removed only after several checks.
pub(crate) async fn remove_unconfirmed(docker: &Docker, run: &Run, name: &str) -> Result<()> {
    removed(docker, run, name, LOOKS).await
}

async fn removed(docker: &Docker, run: &Run, name: &str, looks_while_missing: u32) -> Result<()> {
    let (mut missing, mut conflicts) = (0, 0);
    loop {
        let options = RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
        match docker.remove_container(name, Some(options)).await {
            Ok(()) => return Ok(()),
            Err(error) if is_missing(&error) => {
                missing += 1;
                if missing >= looks_while_missing || conflicts > 0 {
                    return Ok(());
                }
            }
            // "removal of container … is already in progress": the container is listed until the daemon is done.
            Err(error) if is_conflict(&error) && conflicts < LOOKS => conflicts += 1,
            Err(error) => return Err(failed(ErrorKind::Build, format!("remove container {name}"), &error)),
        }
        run.clock().sleep(PAUSE).await;
    }
}
