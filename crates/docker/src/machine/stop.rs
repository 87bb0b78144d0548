//! Stops a machine.

use std::time::Duration;

use ami_bake_core::duration::human;
use ami_bake_core::{Error, ErrorKind, Result};
use bollard::query_parameters::{InspectContainerOptions, KillContainerOptions};

use super::exec::run_script;
use super::state::ContainerState;
use crate::engine::{failed, is_conflict, is_missing};

/// Time for the machine's processes to end by themselves, and for the script below to notice.
const GRACE: Duration = Duration::from_secs(10);
/// Time for a killed container to stop.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Sends TERM to all processes, then counts them every 0.1 s for at most 5 s. Four of them stay: init, the sleeping shell,
/// its `sleep` and this shell.
const TERMINATE: &str = "kill -TERM -1 2>/dev/null; tries=50; while [ $tries -gt 0 ]; do set -- /proc/[0-9]*; \
                   [ $# -le 4 ] && exit 0; sleep 0.1 2>/dev/null || exit 0; tries=$((tries - 1)); done";

/// Sends SIGTERM to the machine's processes, so that databases write their data, and kills the rest. The file system does
/// not change any more when this returns.
pub(super) async fn stop(container: &ContainerState) -> Result<()> {
    // A failure does not matter: what is left is killed next.
    let _ = tokio::time::timeout(GRACE, run_script(&container.docker, &container.name, &[TERMINATE])).await;
    let options = KillContainerOptions::default();
    match container.docker.kill_container(&container.name, Some(options)).await {
        Ok(()) => {}
        // It has stopped already.
        Err(error) if is_conflict(&error) || is_missing(&error) => {}
        Err(error) => return Err(failed(ErrorKind::Build, format!("stop container {}", container.name), &error)),
    }
    let stopped = async {
        loop {
            let seen = container.docker.inspect_container(&container.name, None::<InspectContainerOptions>).await;
            let seen =
                seen.map_err(|error| failed(ErrorKind::Build, format!("stop container {}", container.name), &error))?;
            if seen.state.and_then(|state| state.running) != Some(true) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(STOP_LIMIT, stopped).await {
        Ok(done) => done,
        Err(_) => Err(Error::build(format!(
            "could not stop container {}: it was still running after {}",
            container.name,
            human(STOP_LIMIT)
        ))),
    }
}
