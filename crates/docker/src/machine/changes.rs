//! The files that changed in a container, as the daemon reports them.

use std::path::PathBuf;

use bollard::models::ChangeType;

use super::state::ContainerState;

/// The kind of a deletion (Engine API, `GET /containers/{id}/changes`).
const DELETED: ChangeType = ChangeType::_2;
/// The daemon replaces bytes that are not UTF-8 with this; such a path does not name the file any more.
const REPLACED: char = char::REPLACEMENT_CHARACTER;

/// The paths that were created or changed since the container was created; `None` when the list would be incomplete.
pub(super) async fn changes(container: &ContainerState) -> Option<Vec<PathBuf>> {
    // Not a failure: without a list the seal searches all files.
    let changes = container.docker.container_changes(&container.name).await.ok()?.unwrap_or_default();
    let mut paths = Vec::with_capacity(changes.len());
    for change in changes {
        if change.path.contains(REPLACED) {
            return None;
        }
        if change.kind != DELETED {
            paths.push(PathBuf::from(change.path));
        }
    }
    Some(paths)
}
