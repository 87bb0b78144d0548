//! Reads an archive entry by entry, with limits on everything that could grow without bound.

use std::cell::Cell;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use tar::EntryType;

use super::error::{ArchiveError, shown};
use super::limits::ArchiveLimits;

/// Maximum bytes of headers between two files. Headers are held in memory: long names, extended attributes, and the map
/// of a sparse file, for which this is enough for 80,000 holes.
const HEADERS: u64 = 4 << 20;
/// Maximum bytes after the last entry. GNU tar pads its archives to 10 KiB; others to the block size of a tape.
const PADDING: u64 = 16 << 20;
/// Archives consist of blocks of this size (POSIX pax, "ustar Interchange Format").
const BLOCK: u64 = 512;

/// Prefix of the extended headers of a sparse file (GNU tar, "Storing Sparse Files"). Not supported; the older form, an
/// entry type of its own, is supported and is what GNU tar writes by default.
const SPARSE: &[u8] = b"GNU.sparse.";
/// Maximum length of a path in bytes (PATH_MAX of Linux).
const LONGEST: usize = 4096;

/// How absolute paths are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Absolute paths are refused.
    Relative,
    /// Absolute paths begin at the target folder, as in the tar file of a root file system.
    FromRoot,
}

/// An entry: its metadata, and its content as a reader.
pub type Entry<'a, R> = tar::Entry<'a, Guarded<R>>;

/// Calls `take` with each entry and its path, which has no `..`, no `.` and no root. The folder itself has the empty
/// path.
///
/// # Errors
/// When a name is refused, a limit exceeded, the archive can't be read, and whatever `take` fails with.
pub fn for_each<R: Read>(
    archive: R,
    limits: ArchiveLimits,
    names: Names,
    mut take: impl FnMut(&Path, EntryType, &mut Entry<'_, R>, &mut Meter) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let budget = Rc::new(Budget { left: Cell::new(HEADERS), spent: Cell::new(false), failed: Cell::new(false) });
    let mut archive = tar::Archive::new(Guarded { inner: archive, budget: Rc::clone(&budget) });
    let mut meter = Meter { limits, files: 0, size: 0 };
    let mut last = PathBuf::new();
    let mut entries = archive.entries().map_err(ArchiveError::Broken)?;
    loop {
        budget.left.set(budget.left.get().saturating_add(HEADERS));
        let Some(next) = entries.next() else { break };
        let mut entry = next.map_err(|error| {
            if budget.spent.get() {
                let what = if meter.files == 0 {
                    "the first entry".to_owned()
                } else {
                    format!("the entry after `{}`", shown(&last))
                };
                ArchiveError::Refused(format!("the headers of {what} are longer than 4 MiB"))
            } else if meter.files == 0 && !budget.failed.get() {
                // The library's own message would quote the content.
                ArchiveError::Broken(io::Error::other("it is not a tar file"))
            } else {
                ArchiveError::Broken(error)
            }
        })?;
        let kind = kind(&entry);
        // What may still be read of this entry: its content as stored, padded to a whole block.
        let stored = if kind == EntryType::GNUSparse {
            entry.header().entry_size().map_err(ArchiveError::Broken)?
        } else {
            entry.size()
        };
        budget.left.set(stored.div_ceil(BLOCK).saturating_mul(BLOCK));
        if matches!(kind, EntryType::XGlobalHeader) {
            continue;
        }
        let path = plain(&entry, names)?;
        for record in entry.pax_extensions().map_err(ArchiveError::Broken)?.into_iter().flatten() {
            // The library skips both kinds of records, which would give the file another name or other content.
            match record {
                Err(_) => return Err(ArchiveError::refused(&path, "has an extended header that can't be read")),
                Ok(record) if record.key_bytes().starts_with(SPARSE) => {
                    return Err(ArchiveError::refused(&path, "is a sparse file in a format that is not supported"));
                }
                Ok(_) => {}
            }
        }
        meter.entry(&path)?;
        take(&path, kind, &mut entry, &mut meter)?;
        last = path;
    }
    // The padding is read too, or the sender's pipe would be closed on it.
    budget.left.set(PADDING);
    match io::copy(&mut archive.into_inner(), &mut io::sink()) {
        Err(_) if budget.spent.get() => {
            Err(ArchiveError::Refused("the archive goes on after its end, for over 16 MiB".to_owned()))
        }
        Err(error) => Err(ArchiveError::Broken(error)),
        Ok(_) => Ok(()),
    }
}

/// The kind of an entry. In archives from before POSIX a folder is a file whose name ends in a slash.
fn kind(entry: &tar::Entry<'_, impl Read>) -> EntryType {
    match entry.header().entry_type() {
        EntryType::Regular if entry.path_bytes().ends_with(b"/") => EntryType::Directory,
        kind => kind,
    }
}

/// The path of an entry, checked by [`plain_path`].
fn plain(entry: &tar::Entry<'_, impl Read>, names: Names) -> Result<PathBuf, ArchiveError> {
    let path = entry.path().map_err(ArchiveError::Broken)?;
    plain_path(&path, names)
}

/// Checks a path of an archive and returns it without `.` and root.
pub fn plain_path(path: &Path, names: Names) -> Result<PathBuf, ArchiveError> {
    if path.as_os_str().is_empty() {
        return Err(ArchiveError::Refused("the archive has an entry without a name".to_owned()));
    }
    if path.as_os_str().len() > LONGEST {
        return Err(ArchiveError::refused(path, "is longer than 4096 bytes"));
    }
    if path.as_os_str().as_bytes().contains(&0) {
        return Err(ArchiveError::refused(path, "has a NUL byte in its name"));
    }
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::CurDir => {}
            Component::RootDir if names == Names::FromRoot => {}
            Component::RootDir | Component::ParentDir | Component::Prefix(_) => {
                return Err(ArchiveError::refused(path, "is outside the folder"));
            }
        }
    }
    Ok(plain)
}

/// Counts entries, bytes and path depth against the limits.
#[derive(Debug)]
pub struct Meter {
    limits: ArchiveLimits,
    files: u64,
    size: u64,
}

impl Meter {
    fn entry(&mut self, path: &Path) -> Result<(), ArchiveError> {
        self.files += 1;
        if self.files > self.limits.files {
            return Err(ArchiveError::Files { path: shown(path), limit: self.limits.files });
        }
        if path.components().count() > self.limits.depth {
            return Err(ArchiveError::Depth { path: shown(path), limit: self.limits.depth });
        }
        Ok(())
    }

    /// Counts the content of a file. Call it before the file is written.
    ///
    /// # Errors
    /// When a limit is exceeded.
    pub fn content(&mut self, path: &Path, size: u64) -> Result<(), ArchiveError> {
        self.size = self.size.saturating_add(size);
        if self.size > self.limits.size {
            return Err(ArchiveError::Size { path: shown(path), size, limit: self.limits.size });
        }
        Ok(())
    }
}

/// Number of bytes that may be read until the next entry.
struct Budget {
    left: Cell<u64>,
    spent: Cell<bool>,
    /// True when the underlying reader failed, rather than the archive.
    failed: Cell<bool>,
}

/// A reader that enforces a [`Budget`].
pub struct Guarded<R> {
    inner: R,
    budget: Rc<Budget>,
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.budget.left.get();
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.inner.read(&mut buffer[..room]).inspect_err(|_| self.budget.failed.set(true))?;
        if room == 0 && !buffer.is_empty() {
            self.budget.spent.set(true);
            return Err(io::Error::other("the headers are too long"));
        }
        self.budget.left.set(left - read as u64);
        Ok(read)
    }
}
