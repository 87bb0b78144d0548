//! Moves an unpacked archive to its destination. All conflicts are found before anything is moved.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::error::{ArchiveError, shown};
use super::folder::{Folder, Found};

/// Moves the content of `from` into `to`: files replace files and links of the same name, folders are merged.
///
/// # Errors
/// When a folder would replace a file or link, or a file a folder: then nothing was moved. When a move fails, the error
/// says how many entries were moved before.
pub(super) fn merge(from: &Folder, to: &Folder) -> Result<(), ArchiveError> {
    let mut moves = Vec::new();
    plan(from, to, Path::new(""), &mut moves)?;
    for (done, path) in moves.iter().enumerate() {
        let moved = || -> std::io::Result<()> {
            let parent = path.parent().unwrap_or(Path::new(""));
            from.below(parent)?.move_to(path.file_name().unwrap_or_default(), &to.below(parent)?)
        };
        moved().map_err(|error| {
            let text = if done == 0 {
                error.to_string()
            } else {
                format!("{error}; {done} of {} files and folders are already there", moves.len())
            };
            ArchiveError::local("write", path, std::io::Error::new(error.kind(), text))
        })?;
    }
    Ok(())
}

/// Collects the paths to move: whole folders where the destination does not have them yet.
fn plan(from: &Folder, to: &Folder, at: &Path, moves: &mut Vec<PathBuf>) -> Result<(), ArchiveError> {
    let failed = |path: &Path, error| ArchiveError::local("look at", path, error);
    for name in from.names().map_err(|error| failed(at, error))? {
        let path = at.join(&name);
        let both = from.look(&name).and_then(|ours| Ok((ours, to.look(&name)?)));
        match both.map_err(|error| failed(&path, error))? {
            (_, Found::Nothing) => moves.push(path),
            (Found::Folder, Found::Folder) => {
                let open = |folder: &Folder, name: &OsStr| folder.child(name).map_err(|error| failed(&path, error));
                plan(&open(from, &name)?, &open(to, &name)?, &path, moves)?;
            }
            (Found::Folder, Found::Link) => {
                return Err(conflict(&path, "is a link here: files would be written through it"));
            }
            (Found::Folder, _) => return Err(conflict(&path, "is a file here but a folder in the download")),
            (_, Found::Folder) => return Err(conflict(&path, "is a folder here but a file in the download")),
            _ => moves.push(path),
        }
    }
    Ok(())
}

fn conflict(path: &Path, why: &str) -> ArchiveError {
    ArchiveError::Refused(format!("`{}` {why}", shown(path)))
}
