//! Local files as a tar archive.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ami_bake_core::plan::{FileKind, LocalFile};
use tar::{Builder, EntryType, Header};

/// Bytes passed on at once.
const CHUNK: usize = 128 << 10;

/// What every entry gets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ownership {
    /// Owner.
    pub(crate) uid: u64,
    /// Group.
    pub(crate) gid: u64,
    /// Permission bits of files, instead of the local ones.
    pub(crate) mode: Option<u32>,
}

/// A file under its name in the archive.
pub(crate) struct ArchiveItem {
    /// The file.
    pub(crate) file: LocalFile,
    /// Its name.
    pub(crate) name: PathBuf,
}

/// Opens every file once, so that what can't be read is known before anything is sent.
pub(crate) fn check_readable(items: &[ArchiveItem]) -> io::Result<()> {
    items.iter().filter(|item| matches!(item.file.kind, FileKind::File(_))).try_for_each(|item| {
        File::open(&item.file.path).map(drop).map_err(|error| about("read", &item.file.path, &error))
    })
}

/// Writes the archive. A file that is longer or shorter than when it was listed is an error.
pub(crate) fn pack(items: &[ArchiveItem], ownership: Ownership, to: impl Write) -> io::Result<()> {
    let mut archive = Builder::new(BufWriter::with_capacity(CHUNK, to));
    for item in items {
        let metadata = item.file.path.symlink_metadata().map_err(|error| about("read", &item.file.path, &error))?;
        let mut header = Header::new_gnu();
        header.set_uid(ownership.uid);
        header.set_gid(ownership.gid);
        header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or(0));
        header.set_size(0);
        match &item.file.kind {
            FileKind::Folder => {
                header.set_entry_type(EntryType::Directory);
                header.set_mode(ownership.mode.map_or(item.file.mode, folder_mode));
                archive.append_data(&mut header, &item.name, io::empty())?;
            }
            FileKind::Link(target) => {
                header.set_entry_type(EntryType::Symlink);
                header.set_mode(0o777);
                archive.append_link(&mut header, &item.name, target)?;
            }
            FileKind::File(size) => {
                header.set_mode(ownership.mode.unwrap_or(item.file.mode));
                header.set_size(*size);
                let file = File::open(&item.file.path).map_err(|error| about("read", &item.file.path, &error))?;
                let mut exact = Exact { file, left: *size, path: &item.file.path };
                archive.append_data(&mut header, &item.name, &mut exact)?;
            }
        }
    }
    archive.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?.flush()
}

/// The x bits that the r bits imply.
pub(crate) fn folder_mode(mode: u32) -> u32 {
    mode | (mode & 0o444) >> 2
}

/// A file of exactly the size that it was listed with.
struct Exact<'a> {
    file: File,
    left: u64,
    path: &'a Path,
}

impl Read for Exact<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return match self.file.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(self.changed("longer")),
            };
        }
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        match self.file.read(&mut buffer[..want]).map_err(|error| about("read", self.path, &error))? {
            0 if want > 0 => Err(self.changed("shorter")),
            read => {
                self.left -= read as u64;
                Ok(read)
            }
        }
    }
}

impl Exact<'_> {
    fn changed(&self, how: &str) -> io::Error {
        let text = format!(
            "`{}` became {how} during the upload: nothing may write to it while it is uploaded",
            self.path.display()
        );
        io::Error::new(io::ErrorKind::InvalidData, text)
    }
}

/// An error with the path that it is about.
pub(crate) fn about(action: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{action} `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_get_the_x_bits_that_the_r_bits_imply() {
        assert_eq!([0o640, 0o600, 0o644, 0o444].map(folder_mode), [0o750, 0o700, 0o755, 0o555]);
    }

    #[test]
    fn a_file_that_changes_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "12345").unwrap();
        let item = |size| {
            let file =
                LocalFile { path: path.clone(), relative: PathBuf::new(), kind: FileKind::File(size), mode: 0o644 };
            [ArchiveItem { file, name: "log".into() }]
        };
        let ownership = Ownership { uid: 0, gid: 0, mode: None };
        assert!(pack(&item(5), ownership, io::sink()).is_ok());
        for (size, how) in [(4, "longer"), (6, "shorter")] {
            let error = pack(&item(size), ownership, io::sink()).unwrap_err().to_string();
            assert!(error.contains(&format!("log` became {how} during the upload")), "{error}");
        }
    }
}
