//! Brings a machine to rest.

use std::time::Duration;

use ami_bake_core::{Error, ErrorKind, Result};
use bollard::query_parameters::{InspectContainerOptions, KillContainerOptions};

use super::container::Shared;
use super::exec::quietly;
use crate::engine::{failed, is_conflict, is_missing};

/// How long the machine's processes may take to end by themselves, and the script below to see it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a killed container may take to be at rest.
const REST: Duration = Duration::from_secs(30);

/// TERM for everything, then a look every tenth of a second for at most five: init, the sleeper, its `sleep` and this
/// shell are the four that stay.
const ASK: &str = "kill -TERM -1 2>/dev/null; tries=50; while [ $tries -gt 0 ]; do set -- /proc/[0-9]*; \
                   [ $# -le 4 ] && exit 0; sleep 0.1 2>/dev/null || exit 0; tries=$((tries - 1)); done";

/// Asks the machine's processes to end, and kills what stays: databases write what they hold, and the file system is at
/// rest when this returns.
pub(super) async fn stop(shared: &Shared) -> Result<()> {
    // Whoever can't be asked is killed all the same.
    let _ = tokio::time::timeout(PATIENCE, quietly(&shared.docker, &shared.name, &[ASK])).await;
    let options = KillContainerOptions::default();
    match shared.docker.kill_container(&shared.name, Some(options)).await {
        Ok(()) => {}
        // It has ended already.
        Err(error) if is_conflict(&error) || is_missing(&error) => {}
        Err(error) => return Err(failed(ErrorKind::Build, format!("stop container {}", shared.name), &error)),
    }
    let rest = async {
        loop {
            let seen = shared.docker.inspect_container(&shared.name, None::<InspectContainerOptions>).await;
            let seen =
                seen.map_err(|error| failed(ErrorKind::Build, format!("stop container {}", shared.name), &error))?;
            if seen.state.and_then(|state| state.running) != Some(true) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(REST, rest).await {
        Ok(done) => done,
        Err(_) => Err(Error::build(format!("stop container {} within {} s", shared.name, REST.as_secs()))),
    }
}
