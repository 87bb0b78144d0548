//! Copies the content of archive entries: data of files, targets of links.

use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::error::ArchiveError;

/// Size of the chunks in which content is read.
const CHUNK: usize = 64 << 10;

/// The target of a link, exactly as the archive has it.
///
/// # Errors
/// When the entry has no target.
pub fn link_target(entry: &tar::Entry<'_, impl Read>, path: &Path) -> Result<PathBuf, ArchiveError> {
    let to = entry.link_name().map_err(ArchiveError::Broken)?.filter(|to| !to.as_os_str().is_empty());
    to.map(std::borrow::Cow::into_owned).ok_or_else(|| ArchiveError::refused(path, "is a link without a target"))
}

/// Copies a file's content. Zeros of a sparse file become holes again.
///
/// # Errors
/// When the archive can't be read, or the file can't be written.
pub fn copy(from: &mut impl Read, to: &mut File, sparse: bool, path: &Path) -> Result<(), ArchiveError> {
    let failed = |error| ArchiveError::local("write", path, error);
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => &chunk[..read],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(ArchiveError::Broken(error)),
        };
        if sparse && read.iter().all(|byte| *byte == 0) {
            to.seek_relative(i64::try_from(read.len()).unwrap_or_default()).map_err(failed)?;
        } else {
            to.write_all(read).map_err(failed)?;
        }
    }
    if sparse {
        // Seeking over a final hole does not extend the file, so its length is set.
        let end = to.stream_position().map_err(failed)?;
        to.set_len(end).map_err(failed)?;
    }
    Ok(())
}
