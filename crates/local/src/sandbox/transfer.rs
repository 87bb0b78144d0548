//! Moves files in and out of a sandbox without its `tar`, which an image may not have.

use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

use ami_bake_core::archive::ArchiveLimits;
use ami_bake_core::{Error, Result};

use super::failure::Context;
use super::task::TaskOutcome;
use super::unpack::unpack;

/// Bytes per read or write: the size of a pipe.
const CHUNK: usize = 64 << 10;

/// Unpacks standard input below `to`.
pub(super) fn put(to: &Path) -> Result<TaskOutcome> {
    let doing = || format!("unpack into {}", to.display());
    // A link on the way is followed as for every process of the sandbox; the archive is this program's own.
    let archive = BufReader::with_capacity(CHUNK, std::io::stdin().lock());
    unpack(archive, Path::new("/"), to, ArchiveLimits::NONE).map_err(|error| Error::build(doing()).because(error))?;
    Ok(TaskOutcome::Done)
}

/// Packs `from`, a file or a folder, under its own base name. If `from` itself is a link it is followed; links below it
/// stay links.
#[expect(clippy::disallowed_methods, reason = "its reader is this program")]
pub(super) fn get(from: &Path) -> Result<TaskOutcome> {
    let doing = || format!("pack {}", from.display());
    let real = std::fs::canonicalize(from).context(doing)?;
    let name = from
        .file_name()
        .or(real.file_name())
        .ok_or_else(|| Error::build(doing()).help("Name a file or a folder below /, not / itself."))?;
    let mut archive = tar::Builder::new(BufWriter::with_capacity(CHUNK, std::io::stdout().lock()));
    archive.follow_symlinks(false);
    add(&mut archive, &real, Path::new(name)).context(doing)?;
    archive.into_inner().and_then(|mut stream| stream.flush()).context(doing)?;
    Ok(TaskOutcome::Done)
}

fn add(archive: &mut tar::Builder<impl Write>, path: &Path, name: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    let metadata = std::fs::symlink_metadata(path)?;
    let kind = metadata.file_type();
    if kind.is_socket() {
        // A socket has no content to copy.
        return Ok(());
    }
    if kind.is_fifo() || kind.is_char_device() || kind.is_block_device() {
        // The library would name it `path`. The other end refuses or skips it.
        let mut header = tar::Header::new_gnu();
        header.set_metadata(&metadata);
        return archive.append_data(&mut header, name, std::io::empty());
    }
    archive.append_path_with_name(path, name)?;
    if kind.is_dir() {
        let mut entries = std::fs::read_dir(path)?.collect::<std::io::Result<Vec<_>>>()?;
        // Sorted, so that the same tree gives the same stream.
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            add(archive, &entry.path(), &name.join(entry.file_name()))?;
        }
    }
    Ok(())
}
