//! A folder by its descriptor: everything below it is opened component by component, and never through a link.
//!
//! `openat2` with `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS` does the same in one call, but only on Linux; downloads work
//! on macOS too.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// An open folder.
#[derive(Debug)]
pub(super) struct Folder(OwnedFd);

/// Kind of a directory entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Folder,
    File,
    Link,
    Other,
}

impl Folder {
    /// Opens the folder at `path`, following links: this is a path of the user, not of an archive.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        Ok(Self(rustix::fs::openat(CWD, path, FOLDER, Mode::empty())?))
    }

    /// Opens a folder in this one; fails on a link.
    pub(super) fn child(&self, name: &OsStr) -> io::Result<Self> {
        Ok(Self(rustix::fs::openat(&self.0, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?))
    }

    /// Creates a folder in this one. False when the name exists.
    pub(super) fn make(&self, name: &OsStr, mode: u16) -> io::Result<bool> {
        match rustix::fs::mkdirat(&self.0, name, Mode::from_raw_mode(mode.into())) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the folder at a relative path without `.` and `..`.
    pub(super) fn below(&self, path: &Path) -> io::Result<Self> {
        path.components().try_fold(self.again()?, |folder, name| folder.child(name.as_os_str()))
    }

    /// Duplicates the handle of the folder.
    pub(super) fn again(&self) -> io::Result<Self> {
        Ok(Self(self.0.try_clone()?))
    }

    /// Kind of an entry of the folder.
    pub(super) fn look(&self, name: &OsStr) -> io::Result<Found> {
        match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => Found::Folder,
                FileType::RegularFile => Found::File,
                FileType::Symlink => Found::Link,
                _ => Found::Other,
            }),
            Err(Errno::NOENT) => Ok(Found::Nothing),
            Err(error) => Err(error.into()),
        }
    }

    /// Creates a file that does not exist yet.
    pub(super) fn create(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.0, name, flags, Mode::from_raw_mode(0o600))?.into())
    }

    /// Opens a regular file for reading; `None` for everything else, since opening a pipe would block.
    pub(super) fn read(&self, name: &OsStr) -> io::Result<Option<File>> {
        if self.look(name)? != Found::File {
            return Ok(None);
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(Some(rustix::fs::openat(&self.0, name, flags, Mode::empty())?.into()))
    }

    /// Creates a symbolic link.
    pub(super) fn link(&self, name: &OsStr, to: &Path) -> io::Result<()> {
        Ok(rustix::fs::symlinkat(to, &self.0, name)?)
    }

    /// The target of the link at a relative path without `.` and `..`; `None` when there is no link.
    pub(super) fn link_at(&self, path: &Path) -> io::Result<Option<std::ffi::OsString>> {
        use std::os::unix::ffi::OsStringExt as _;
        match rustix::fs::readlinkat(&self.0, path, Vec::new()) {
            Ok(to) => Ok(Some(std::ffi::OsString::from_vec(to.into_bytes()))),
            Err(Errno::INVAL | Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a file or link.
    pub(super) fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Moves an entry to another folder, replacing a file or link of that name.
    pub(super) fn move_to(&self, name: &OsStr, other: &Self) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, name, &other.0, name)?)
    }

    /// The names of all entries, sorted.
    pub(super) fn names(&self) -> io::Result<Vec<std::ffi::OsString>> {
        use std::os::unix::ffi::OsStrExt as _;
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }
}
