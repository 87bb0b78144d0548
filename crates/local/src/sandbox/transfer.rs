//! Moves files in and out of a sandbox without its `tar`, which an image may not have.

use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Component, Path};

use ami_bake_core::{Error, Result};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::failure::Context;
use super::task::TaskOutcome;

/// Bytes that are read or written at once: the size of a pipe.
const CHUNK: usize = 64 << 10;

/// Unpacks standard input below `to`.
pub(super) fn put(to: &Path) -> Result<TaskOutcome> {
    let doing = || format!("unpack into {}", to.display());
    std::fs::create_dir_all(to).context(doing)?;
    unpack(BufReader::with_capacity(CHUNK, std::io::stdin().lock()), to).context(doing)?;
    Ok(TaskOutcome::Done)
}

/// Unpacks a tar stream with owners, modes, times and extended attributes.
pub(crate) fn unpack(stream: impl Read, to: &Path) -> std::io::Result<()> {
    let mut archive = tar::Archive::new(stream);
    archive.set_preserve_permissions(true);
    archive.set_preserve_ownerships(true);
    archive.set_preserve_mtime(true);
    archive.set_unpack_xattrs(true);
    archive.set_overwrite(true);
    let mut folders = Vec::new();
    for (number, entry) in archive.entries()?.enumerate() {
        // The message of the tar reader would quote the file's content.
        let not_tar = |error| if number == 0 { std::io::Error::other("it is not a tar file") } else { error };
        let mut entry = entry.map_err(not_tar)?;
        match entry.header().entry_type() {
            // Last, deepest first: a read-only folder must be complete before it gets its mode.
            tar::EntryType::Directory => folders.push(entry),
            tar::EntryType::Char => device(&entry, to, FileType::CharacterDevice)?,
            tar::EntryType::Block => device(&entry, to, FileType::BlockDevice)?,
            tar::EntryType::Fifo => device(&entry, to, FileType::Fifo)?,
            _ => {
                entry.unpack_in(to)?;
            }
        }
    }
    folders.sort_by(|one, other| other.path_bytes().cmp(&one.path_bytes()));
    for mut folder in folders {
        folder.unpack_in(to)?;
    }
    // Reads the padding after the last entry, so that its writer does not find the pipe closed.
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink())?;
    Ok(())
}

/// Creates a device file or a pipe. In a user namespace the kernel refuses devices, which are skipped; a sandbox has its own
/// `/dev`.
fn device(entry: &tar::Entry<'_, impl Read>, to: &Path, kind: FileType) -> std::io::Result<()> {
    let path = entry.path()?;
    let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    let (true, Some(name)) = (path.components().all(inside), path.file_name()) else { return Ok(()) };
    let root = rustix::fs::openat(CWD, to, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(to.join(parent))?;
    let parent = rustix::fs::openat2(
        &root,
        parent,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::IN_ROOT,
    )?;
    let header = entry.header();
    let number = |part: std::io::Result<Option<u32>>| part.ok().flatten().unwrap_or_default();
    let device = rustix::fs::makedev(number(header.device_major()), number(header.device_minor()));
    let mode = Mode::from_raw_mode(header.mode()?);
    match rustix::fs::mknodat(&parent, name, kind, mode, device) {
        Err(Errno::PERM) if kind != FileType::Fifo => return Ok(()),
        Err(Errno::EXIST) => return Ok(()),
        other => other?,
    }
    let (owner, group) = (u32::try_from(header.uid()?), u32::try_from(header.gid()?));
    let (Ok(owner), Ok(group)) = (owner, group) else { return Ok(()) };
    let (owner, group) = (Some(rustix::fs::Uid::from_raw(owner)), Some(rustix::fs::Gid::from_raw(group)));
    rustix::fs::chownat(&parent, name, owner, group, AtFlags::SYMLINK_NOFOLLOW)?;
    rustix::fs::chmodat(&parent, name, mode, AtFlags::empty())?;
    let time = rustix::fs::Timespec { tv_sec: header.mtime()?.try_into().unwrap_or_default(), tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(&parent, name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}

/// Packs `from`, a file or a folder, under its own base name. `from` itself is followed when it is a link; links in it stay
/// links.
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
    let kind = std::fs::symlink_metadata(path)?.file_type();
    if kind.is_socket() {
        // A socket has no content to copy.
        return Ok(());
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
