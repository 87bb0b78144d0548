//! Unpacks a root file system: with owners, modes, times, extended attributes, devices and links of every kind.
//!
//! Links are part of such a file system, and paths of its archive may lead through them, for example `lib/x` if `lib`
//! is a link to `/usr/lib`. The kernel resolves each path inside the root (`RESOLVE_IN_ROOT`, openat2(2)): an absolute
//! link and `..` begin and end there, so nothing outside can be reached, whatever links the archive contains.

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use ami_bake_core::archive::{ArchiveError, ArchiveLimits, Entry, Names, copy, for_each, link_target, plain_path};
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use tar::EntryType;

/// Number of attempts: after a rename elsewhere in the file system the kernel may be unsure about a `..`, and returns
/// EAGAIN (openat2(2)).
const TRIES: usize = 64;
/// Prefix of extended attributes in an archive (star(1), GNU tar and libarchive).
const XATTR: &str = "SCHILY.xattr.";

/// Unpacks a tar stream into the folder `inside` of `root`, which is created when it is missing. Existing files are
/// replaced, but not folders and links to folders.
///
/// # Errors
/// When a path contains `..`, a limit is exceeded, or reading or writing fails. What was unpacked before stays.
pub fn unpack(archive: impl Read, root: &Path, inside: &Path, limits: ArchiveLimits) -> Result<(), ArchiveError> {
    let local = |error: Errno| ArchiveError::local("open", root, error);
    let folder = rustix::fs::openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let root = Root(folder.map_err(local)?);
    root.folder(inside).map_err(|error| ArchiveError::local("create", inside, error))?;
    let mut folders: Vec<(PathBuf, Metadata)> = Vec::new();
    for_each(archive, limits, Names::FromRoot, |path, kind, entry, meter| {
        let path = &inside.join(path);
        let failed = |error| ArchiveError::local("write", path, error);
        let metadata = Metadata::of(entry)?;
        // The target folder keeps its mode: it belongs to the user, or is a temporary one.
        let Some(name) = path.file_name().filter(|_| path != inside) else { return Ok(()) };
        let parent = root.folder(path.parent().unwrap_or(Path::new(""))).map_err(failed)?;
        let here = Name { parent: parent.as_fd(), name };
        match kind {
            EntryType::Directory => {
                // Modes of folders come last, deepest first: a read-only folder must be complete before it gets its
                // mode.
                if root.make(here, path).map_err(failed)? {
                    folders.push((path.clone(), metadata));
                }
            }
            EntryType::Symlink => {
                let to = link_target(entry, path)?;
                here.create(|| rustix::fs::symlinkat(&to, here.parent, name)).map_err(failed)?;
                metadata.set_by_name(here, false).map_err(failed)?;
            }
            EntryType::Link => root
                .link(&inside.join(plain_path(&link_target(entry, path)?, Names::FromRoot)?), here)
                .map_err(failed)?,
            EntryType::Char => device(here, FileType::CharacterDevice, entry, &metadata).map_err(failed)?,
            EntryType::Block => device(here, FileType::BlockDevice, entry, &metadata).map_err(failed)?,
            EntryType::Fifo => device(here, FileType::Fifo, entry, &metadata).map_err(failed)?,
            EntryType::XHeader | EntryType::GNULongName | EntryType::GNULongLink => {}
            // POSIX: an unknown kind is treated as a regular file.
            kind => {
                meter.content(path, entry.size())?;
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let made = here.create(|| rustix::fs::openat(here.parent, name, flags, Mode::from_raw_mode(0o600)));
                let mut file: File = made.map_err(failed)?.into();
                copy(entry, &mut file, kind == EntryType::GNUSparse, path)?;
                metadata.set(file.as_fd()).map_err(failed)?;
            }
        }
        Ok(())
    })?;
    folders.sort_by(|one, other| Reverse(&one.0).cmp(&Reverse(&other.0)));
    for (path, metadata) in folders {
        let set = root.open(&path, OFlags::RDONLY).and_then(|folder| metadata.set(folder.as_fd()));
        set.map_err(|error| ArchiveError::local("write", &path, error))?;
    }
    Ok(())
}

/// The root folder of everything that is unpacked.
struct Root(OwnedFd);

/// A name in an open folder.
#[derive(Clone, Copy)]
struct Name<'a> {
    parent: BorrowedFd<'a>,
    name: &'a OsStr,
}

impl Root {
    /// Opens a folder below the root.
    fn open(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = path.strip_prefix("/").unwrap_or(path);
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = flags | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut tries = 0;
        loop {
            let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
            match rustix::fs::openat2(&self.0, path, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN) if tries < TRIES => tries += 1,
                other => return other,
            }
        }
    }

    /// Opens a folder below the root, creating missing ones.
    fn folder(&self, path: &Path) -> Result<OwnedFd, Errno> {
        match self.open(path, OFlags::PATH) {
            Err(Errno::NOENT) => {}
            other => return other,
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(Errno::NOENT) };
        match rustix::fs::mkdirat(self.folder(parent)?, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => self.open(path, OFlags::PATH),
            Err(error) => Err(error),
        }
    }

    /// Creates a folder. False when the name is a link to a folder; the link and its target stay unchanged.
    fn make(&self, here: Name<'_>, path: &Path) -> Result<bool, Errno> {
        match rustix::fs::mkdirat(here.parent, here.name, Mode::from_raw_mode(0o700)) {
            Err(Errno::EXIST) => {}
            other => return other.map(|()| true),
        }
        if here.kind()? == FileType::Directory {
            return Ok(true);
        }
        if self.open(path, OFlags::PATH).is_ok() {
            return Ok(false);
        }
        rustix::fs::unlinkat(here.parent, here.name, AtFlags::empty())?;
        rustix::fs::mkdirat(here.parent, here.name, Mode::from_raw_mode(0o700)).map(|()| true)
    }

    /// Creates a hard link to a path below the root.
    fn link(&self, to: &Path, here: Name<'_>) -> Result<(), Errno> {
        let parent = self.open(to.parent().unwrap_or(Path::new("")), OFlags::PATH)?;
        let other = Name { parent: parent.as_fd(), name: to.file_name().ok_or(Errno::ISDIR)? };
        let identity = |name: Name<'_>| name.stat().map(|stat| (stat.st_dev, stat.st_ino));
        if identity(here).is_ok_and(|there| identity(other) == Ok(there)) {
            return Ok(());
        }
        here.create(|| rustix::fs::linkat(&parent, other.name, here.parent, here.name, AtFlags::empty()))
    }
}

impl Name<'_> {
    fn stat(self) -> Result<rustix::fs::Stat, Errno> {
        rustix::fs::statat(self.parent, self.name, AtFlags::SYMLINK_NOFOLLOW)
    }

    fn kind(self) -> Result<FileType, Errno> {
        Ok(FileType::from_raw_mode(self.stat()?.st_mode))
    }

    /// Creates something with this name, replacing anything but a folder.
    fn create<T>(self, make: impl Fn() -> Result<T, Errno>) -> Result<T, Errno> {
        match make() {
            Err(Errno::EXIST) => {
                rustix::fs::unlinkat(self.parent, self.name, AtFlags::empty())?;
                make()
            }
            other => other,
        }
    }
}

/// Metadata of an entry.
struct Metadata {
    owner: Uid,
    group: Gid,
    mode: Mode,
    times: Timestamps,
    attributes: Vec<(String, Vec<u8>)>,
}

impl Metadata {
    fn of(entry: &mut Entry<'_, impl Read>) -> Result<Self, ArchiveError> {
        let header = entry.header();
        let id = |id: io::Result<u64>| {
            let id = id.and_then(|id| u32::try_from(id).map_err(io::Error::other));
            id.map_err(ArchiveError::Broken)
        };
        let (owner, group) = (Uid::from_raw(id(header.uid())?), Gid::from_raw(id(header.gid())?));
        let mode = Mode::from_raw_mode(header.mode().map_err(ArchiveError::Broken)? & 0o7777);
        // The library does not support times before 1970.
        let seconds = header.mtime().unwrap_or_default().try_into().unwrap_or_default();
        let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
        let mut attributes = Vec::new();
        for record in entry.pax_extensions().map_err(ArchiveError::Broken)?.into_iter().flatten() {
            let record = record.map_err(ArchiveError::Broken)?;
            if let Some(name) = record.key().ok().and_then(|key| key.strip_prefix(XATTR)) {
                attributes.push((name.to_owned(), record.value_bytes().to_vec()));
            }
        }
        Ok(Self { owner, group, mode, times: Timestamps { last_access: time, last_modification: time }, attributes })
    }

    /// Sets all metadata on an open file or folder. The owner first, because a new owner clears set-user-id bits and
    /// capabilities.
    fn set(&self, file: BorrowedFd<'_>) -> Result<(), Errno> {
        rustix::fs::fchown(file, Some(self.owner), Some(self.group))?;
        rustix::fs::fchmod(file, self.mode)?;
        for (name, value) in &self.attributes {
            rustix::fs::fsetxattr(file, name.as_str(), value, XattrFlags::empty())?;
        }
        rustix::fs::futimens(file, &self.times)
    }

    /// Sets owner and time of a name without opening it, and the mode if `mode` is set.
    fn set_by_name(&self, here: Name<'_>, mode: bool) -> Result<(), Errno> {
        let Name { parent, name } = here;
        rustix::fs::chownat(parent, name, Some(self.owner), Some(self.group), AtFlags::SYMLINK_NOFOLLOW)?;
        if mode {
            rustix::fs::chmodat(parent, name, self.mode, AtFlags::empty())?;
        }
        rustix::fs::utimensat(parent, name, &self.times, AtFlags::SYMLINK_NOFOLLOW)
    }
}

/// Creates a device file or a pipe. In a user namespace the kernel refuses device files, which are skipped; a sandbox
/// has its own `/dev`.
fn device(here: Name<'_>, kind: FileType, entry: &Entry<'_, impl Read>, metadata: &Metadata) -> Result<(), Errno> {
    let header = entry.header();
    let number = |part: io::Result<Option<u32>>| part.ok().flatten().unwrap_or_default();
    let device = rustix::fs::makedev(number(header.device_major()), number(header.device_minor()));
    match here.create(|| rustix::fs::mknodat(here.parent, here.name, kind, metadata.mode, device)) {
        Err(Errno::PERM) if kind != FileType::Fifo => Ok(()),
        other => other.and_then(|()| metadata.set_by_name(here, true)),
    }
}
