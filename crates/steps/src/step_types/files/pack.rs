//! Packs local files as a tar archive.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use ami_bake_core::plan::{FileHash, FileKind, LocalFile};
use tar::{Builder, EntryType, Header};

use crate::local::{Verified, about};

/// Bytes per write.
const CHUNK: usize = 128 << 10;

/// Ownership of all entries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ownership {
    /// ID of the owner.
    pub(crate) uid: u64,
    /// ID of the group.
    pub(crate) gid: u64,
    /// Permission bits of files, instead of the local ones.
    pub(crate) mode: Option<u32>,
}

/// A file and its name in the archive.
pub(crate) struct ArchiveItem {
    /// The local file.
    pub(crate) file: LocalFile,
    /// Name in the archive.
    pub(crate) name: PathBuf,
    /// Hash of the content at the time the digest was computed.
    pub(crate) planned: Option<FileHash>,
}

/// Opens every file once, so that unreadable ones are reported before anything is sent.
pub(crate) fn check_readable(items: &[ArchiveItem]) -> io::Result<()> {
    items.iter().filter(|item| matches!(item.file.kind, FileKind::File(_))).try_for_each(|item| {
        File::open(&item.file.path).map(drop).map_err(|error| about("read", &item.file.path, &error))
    })
}

/// Writes the archive. A file that changed since the digest was computed, or since it was listed, is an error.
pub(crate) fn pack(items: &[ArchiveItem], ownership: Ownership, to: impl Write) -> io::Result<()> {
    let mut archive = Builder::new(BufWriter::with_capacity(CHUNK, to));
    for item in items {
        let is_link = matches!(item.file.kind, FileKind::Link(_));
        let metadata = if is_link { item.file.path.symlink_metadata() } else { item.file.path.metadata() };
        let metadata = metadata.map_err(|error| about("read", &item.file.path, &error))?;
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
                let mut content = Verified::open(&item.file.path, *size, item.planned)?;
                archive.append_data(&mut header, &item.name, &mut content)?;
            }
        }
    }
    archive.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?.flush()
}

/// Permission bits of a folder: the x bits that the r bits imply are added.
pub(crate) fn folder_mode(mode: u32) -> u32 {
    mode | (mode & 0o444) >> 2
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
            [ArchiveItem { file, name: "log".into(), planned: None }]
        };
        let ownership = Ownership { uid: 0, gid: 0, mode: None };
        assert!(pack(&item(5), ownership, io::sink()).is_ok());
        for size in [4, 6] {
            let error = pack(&item(size), ownership, io::sink()).unwrap_err().to_string();
            assert!(error.contains("log` changed while baking"), "{error}");
        }
    }
}
