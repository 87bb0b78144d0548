//! What was changed in a container, as the engine tells it.

use std::path::PathBuf;

use bollard::models::ChangeType;

use super::container::Shared;

/// The deleted ones' kind (Engine API, `GET /containers/{id}/changes`).
const DELETED: ChangeType = ChangeType::_2;
/// What the engine writes for bytes that are no UTF-8: such a path names no file any more.
const REPLACED: char = char::REPLACEMENT_CHARACTER;

/// The paths that were made or changed since the container was made. None when the engine can't tell all of them.
pub(super) async fn changes(shared: &Shared) -> Option<Vec<PathBuf>> {
    // An engine that can't tell is no failure: the files are looked for then.
    let changes = shared.docker.container_changes(&shared.name).await.ok()?.unwrap_or_default();
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
