//! Kills a command and everything that it started: the engine has no call for it.

use ami_bake_core::kill::{LIMIT, script};
use bollard::Docker;

use super::exec::quietly;

/// Kills the command with this mark; false when something of it may be left.
pub(super) async fn tree(docker: &Docker, container: &str, mark: &str) -> bool {
    let killed = tokio::time::timeout(LIMIT, quietly(docker, container, &[&script(mark), "sh"])).await;
    matches!(killed, Ok(Some(0)))
}
