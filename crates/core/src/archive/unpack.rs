//! Unpacks an untrusted archive.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use tar::EntryType;

use super::content::{copy, link_target};
use super::entries::{Entry, Meter, Names, for_each, plain_path};
use super::error::{ArchiveError, shown};
use super::folder::{Folder, Found};
use super::limits::ArchiveLimits;
use super::links::find_outside;
use super::merge::merge;
use crate::whole_file::draft_name;

/// Rules for unpacking an archive.
#[derive(Clone, Copy)]
pub struct Unpack<'a> {
    /// Required root entry of the archive.
    pub root: Root<'a>,
    /// Returns true for paths below the root to skip; the flag is true for folders.
    pub skip: &'a dyn Fn(&Path, bool) -> bool,
    /// Limits on the archive.
    pub limits: ArchiveLimits,
}

/// Required root entry of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root<'a> {
    /// No required root: entries go directly into the target folder.
    Any,
    /// One folder with the first name. Its content goes into a folder with the second name, or directly into the target
    /// folder.
    Folder(&'a OsStr, Option<&'a OsStr>),
    /// One file with the first name, stored under the second.
    File(&'a OsStr, &'a OsStr),
}

/// Unpacks `archive`, an uncompressed tar stream, into the folder `into`, and returns how many files and links it had. The
/// folder is created if it is missing. The archive may be any bytes. Whatever they are:
///
/// - Nothing outside of `into` is created, changed or removed, and no link below `into` is followed, whether it was there
///   or is in the archive. `into` itself may be reached through links.
/// - Only folders, regular files and symbolic links are created. A hard link becomes a copy of the file that this archive
///   holds; a hard link to anything else, a device, a pipe, and a symbolic link that leads out of `into` are errors.
/// - No file is set-user-id, set-group-id or sticky.
/// - Memory stays within some MiB and what `limits` allows in names, and the disk within `limits`.
/// - On an error `into` is as it was, unless the error says otherwise: everything is unpacked into a folder with a random
///   name in `into` first, and then moved. Only a process that is killed leaves that folder there (`.ami-bake-…`).
///
/// # Errors
/// See [`ArchiveError`].
pub fn unpack(archive: impl Read, into: &Path, limits: ArchiveLimits) -> Result<u64, ArchiveError> {
    Unpack { root: Root::Any, skip: &|_, _| false, limits }.draft(into, archive)?.keep()
}

impl Unpack<'_> {
    /// Does the same as [`unpack`] up to the last step, which is [`Unpacked::keep`].
    ///
    /// # Errors
    /// As [`unpack`], and when the archive does not have the required root.
    pub fn draft(&self, into: &Path, archive: impl Read) -> Result<Unpacked, ArchiveError> {
        self.check()?;
        let made = MadeFolders::make(into)?;
        let target = Folder::open(into).map_err(|error| ArchiveError::local("open", into, error))?;
        let draft = Draft::make(&target, into)?;
        let count = self.write(into, archive, &draft.folder)?;
        Ok(Unpacked { draft, target, made, count })
    }

    /// Checks that the root's names are plain file names.
    fn check(&self) -> Result<(), ArchiveError> {
        let names = match self.root {
            Root::Any => [None, None],
            Root::Folder(name, target) => [Some(name), target],
            Root::File(name, target) => [Some(name), Some(target)],
        };
        for name in names.into_iter().flatten().map(Path::new) {
            let mut components = name.components();
            let plain = matches!(components.next(), Some(Component::Normal(part)) if part == name.as_os_str());
            if !plain || components.next().is_some() {
                return Err(ArchiveError::refused(name, "is not the name of a file or folder"));
            }
        }
        Ok(())
    }

    fn write(&self, into: &Path, archive: impl Read, draft: &Folder) -> Result<u64, ArchiveError> {
        let root = match self.root {
            Root::Folder(_, Some(name)) => {
                let failed = |error| ArchiveError::local("create", Path::new(name), error);
                draft.make(name, 0o777).map_err(failed)?;
                draft.child(name).map_err(failed)?
            }
            _ => draft.again().map_err(|error| ArchiveError::local("open", Path::new("."), error))?,
        };
        let mut writer = Writer { root: &root, seen: Seen::default(), has_links: false, parent: None };
        let mut count = 0;
        for_each(archive, self.limits, Names::Relative, |path, kind, entry, meter| {
            let Some(path) = self.place(path, kind)? else { return Ok(()) };
            count += u64::from(writer.write(self, &path, kind, entry, meter)?);
            Ok(())
        })?;
        if matches!(self.root, Root::File(..)) && count == 0 {
            return Err(ArchiveError::Refused("the archive has no file".to_owned()));
        }
        let outside = if writer.has_links { find_outside(&root, &root, Path::new("")) } else { Ok(None) };
        if let Some((link, to)) = outside.map_err(|error| ArchiveError::local("read the links in", into, error))? {
            let why = format!("is a link that points outside the folder, to `{}`", shown(&to));
            return Err(ArchiveError::refused(&link, &why));
        }
        Ok(count)
    }

    /// The path of an entry below the root; `None` if the entry is skipped or is the root itself.
    fn place(&self, path: &Path, kind: EntryType) -> Result<Option<PathBuf>, ArchiveError> {
        let folder = kind == EntryType::Directory;
        let inner = self.inner(path)?;
        match self.root {
            Root::File(_, name) => match inner.as_os_str().is_empty() {
                true if is_file(kind) => return Ok(Some(PathBuf::from(name))),
                true => return Err(ArchiveError::refused(path, "is not a file")),
                false => return Err(ArchiveError::refused(path, "is inside a file")),
            },
            Root::Any | Root::Folder(..) if inner.as_os_str().is_empty() => {
                return if folder { Ok(None) } else { Err(ArchiveError::refused(path, "is not a folder")) };
            }
            Root::Any | Root::Folder(..) => {}
        }
        Ok((!(self.skip)(&inner, folder)).then_some(inner))
    }

    /// Strips the root from a path of the archive.
    fn inner(&self, path: &Path) -> Result<PathBuf, ArchiveError> {
        match self.root {
            Root::Any => Ok(path.to_owned()),
            Root::Folder(name, _) | Root::File(name, _) => path
                .strip_prefix(name)
                .map(Path::to_owned)
                .map_err(|_| ArchiveError::refused(path, "is outside the folder")),
        }
    }
}

fn is_file(kind: EntryType) -> bool {
    matches!(kind, EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse)
}

/// Hashes of all paths that the archive created: the paths themselves could take hundreds of megabytes.
#[derive(Default)]
struct Seen {
    hasher: RandomState,
    hashes: HashSet<u64>,
}

impl Seen {
    fn insert(&mut self, path: &Path) {
        self.hashes.insert(self.hasher.hash_one(path));
    }

    fn contains(&self, path: &Path) -> bool {
        self.hashes.contains(&self.hasher.hash_one(path))
    }
}

/// Writes entries below a folder that nobody else writes to.
struct Writer<'a> {
    root: &'a Folder,
    seen: Seen,
    has_links: bool,
    /// The folder of the last entry, kept open because the next entry is often in it too.
    parent: Option<(PathBuf, Folder)>,
}

impl Writer<'_> {
    /// Writes one entry; returns true for files and links.
    fn write<R: Read>(
        &mut self,
        unpack: &Unpack<'_>,
        path: &Path,
        kind: EntryType,
        entry: &mut Entry<'_, R>,
        meter: &mut Meter,
    ) -> Result<bool, ArchiveError> {
        let failed = |error| ArchiveError::local("write", path, error);
        if kind == EntryType::Directory {
            self.folder(path)?;
            return Ok(false);
        }
        let (parent, name) = (path.parent().unwrap_or(Path::new("")), path.file_name().unwrap_or_default());
        match kind {
            kind if is_file(kind) => {
                meter.content(path, entry.size())?;
                let mut file = self.create(path, |parent| parent.create(name))?;
                let header = entry.header();
                let (mode, modified) = (header.mode().map_err(ArchiveError::Broken)?, header.mtime().ok());
                copy(entry, &mut file, kind == EntryType::GNUSparse, path)?;
                finish(&file, mode, modified).map_err(failed)?;
            }
            EntryType::Symlink => {
                let to = link_target(entry, path)?;
                self.create(path, |parent| parent.link(name, &to))?;
                self.has_links = true;
            }
            EntryType::Link => {
                let to = plain_path(&link_target(entry, path)?, Names::Relative)?;
                let to = unpack.inner(&to)?;
                let mut other = self.other(&to, path)?;
                let metadata = other.metadata().map_err(failed)?;
                meter.content(path, metadata.len())?;
                let mut file = self.create(path, |parent| parent.create(name))?;
                io::copy(&mut other, &mut file).map_err(failed)?;
                file.set_permissions(metadata.permissions()).map_err(failed)?;
            }
            _ => return Err(ArchiveError::refused(path, "is a device, pipe or socket")),
        }
        debug_assert!(parent.as_os_str().is_empty() || self.seen.contains(parent));
        Ok(true)
    }

    /// Opens the regular file of this archive that a hard link points to.
    fn other(&self, to: &Path, link: &Path) -> Result<File, ArchiveError> {
        let not_there = || {
            ArchiveError::refused(
                link,
                &format!("is a hard link to `{}`, which is not a file of the archive", shown(to)),
            )
        };
        if !self.seen.contains(to) {
            return Err(not_there());
        }
        let parent = self.root.below(to.parent().unwrap_or(Path::new("")));
        let file = parent.and_then(|parent| parent.read(to.file_name().unwrap_or_default()));
        file.map_err(|error| ArchiveError::local("read", to, error))?.ok_or_else(not_there)
    }

    /// Creates an entry with `make`. Of two entries with the same path the later one wins, as with `tar`.
    fn create<T>(&mut self, path: &Path, make: impl Fn(&Folder) -> io::Result<T>) -> Result<T, ArchiveError> {
        let failed = |error| ArchiveError::local("write", path, error);
        let again = self.seen.contains(path);
        let parent = self.folder(path.parent().unwrap_or(Path::new("")))?;
        let made = match make(parent) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let name = path.file_name().unwrap_or_default();
                if !again {
                    return Err(same_name(path));
                }
                if parent.look(name).map_err(failed)? == Found::Folder {
                    return Err(ArchiveError::refused(path, "is both a folder and a file"));
                }
                parent.remove(name).map_err(failed)?;
                make(parent).map_err(failed)?
            }
            other => other.map_err(failed)?,
        };
        self.seen.insert(path);
        Ok(made)
    }

    /// Opens the folder at a path below the root, creating missing folders.
    fn folder(&mut self, path: &Path) -> Result<&Folder, ArchiveError> {
        if self.parent.as_ref().is_none_or(|(there, _)| there != path) {
            let failed = |error| ArchiveError::local("create", path, error);
            let mut folder = self.root.again().map_err(failed)?;
            let mut there = PathBuf::new();
            for name in path {
                there.push(name);
                let made = folder.make(name, 0o777).map_err(failed)?;
                if made {
                    self.seen.insert(&there);
                } else if !self.seen.contains(&there) {
                    return Err(same_name(&there));
                }
                folder = match folder.look(name).map_err(failed)? {
                    Found::Folder => folder.child(name).map_err(failed)?,
                    Found::Link => {
                        let why = format!("would be written through the link `{}`", shown(&there));
                        return Err(ArchiveError::refused(path, &why));
                    }
                    _ => return Err(ArchiveError::refused(&there, "is both a file and a folder")),
                };
            }
            self.parent = Some((path.to_owned(), folder));
        }
        // `self.parent` was set above in every case.
        self.parent.as_ref().map(|(_, folder)| folder).ok_or_else(|| ArchiveError::refused(path, "has no folder"))
    }
}

fn same_name(path: &Path) -> ArchiveError {
    ArchiveError::refused(path, "has a name that this file system does not tell apart from another one in the archive")
}

/// Sets mode and time. The owner can always write, and nobody gets more rights than by the permission bits.
fn finish(file: &File, mode: u32, modified: Option<u64>) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode & 0o777 | 0o200))?;
    if let Some(time) = modified.and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds))) {
        // Best effort: this file system may not support the date.
        let _ = file.set_modified(time);
    }
    Ok(())
}

/// An unpacked archive in its temporary folder, not moved to its destination yet. Dropping it deletes it.
#[derive(Debug)]
pub struct Unpacked {
    // Field order is drop order: the draft is in the folders that were made.
    draft: Draft,
    target: Folder,
    made: MadeFolders,
    count: u64,
}

impl Unpacked {
    /// Moves everything to its destination, and returns how many files and links the archive had. Files replace files
    /// and links of the same name, and folders are merged.
    ///
    /// # Errors
    /// When a folder would replace a file or link, or a file a folder: then nothing was moved. When a move fails, the
    /// error says how many entries were moved before.
    pub fn keep(mut self) -> Result<u64, ArchiveError> {
        merge(&self.draft.folder, &self.target)?;
        self.made.0.clear();
        Ok(self.count)
    }
}

/// A temporary folder with a random name in the target, deleted when dropped.
#[derive(Debug)]
struct Draft {
    folder: Folder,
    path: PathBuf,
}

impl Draft {
    fn make(target: &Folder, into: &Path) -> Result<Self, ArchiveError> {
        let name = draft_name(Path::new("x"));
        let path = into.join(&name);
        let made = target.make(name.as_os_str(), 0o700).and_then(|_| target.child(name.as_os_str()));
        let folder = made.map_err(|error| ArchiveError::local("write into", into, error))?;
        Ok(Self { folder, path })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // A failure is ignored: the error that is being returned says more. `remove_dir_all` follows no links.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// The folders that were created for an archive, outermost first. Dropping this removes those that are empty.
#[derive(Debug)]
struct MadeFolders(Vec<PathBuf>);

impl MadeFolders {
    fn make(path: &Path) -> Result<Self, ArchiveError> {
        let failed = |error| ArchiveError::local("create", path, error);
        let missing = path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.is_dir());
        let mut missing: Vec<PathBuf> = missing.map(Path::to_owned).collect();
        missing.reverse();
        let made = Self(missing);
        std::fs::create_dir_all(path).map_err(failed)?;
        Ok(made)
    }
}

impl Drop for MadeFolders {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            let _ = std::fs::remove_dir(folder);
        }
    }
}
