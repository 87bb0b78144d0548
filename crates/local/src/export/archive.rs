//! Writes files with all their attributes into a tar stream.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::tree::{Node, at};

/// Prefix of a whiteout, and the name of the marker of an opaque folder (OCI Image Format Specification 1.0,
/// "Representing Changes").
const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

/// A tar stream that is being written.
pub(super) struct Archive<W: Write> {
    builder: tar::Builder<W>,
    /// The first name of each file with several hard links.
    names: HashMap<(u64, u64), PathBuf>,
    /// Number of files and folders in the stream.
    pub(super) entries: u64,
    /// Bytes that they take on a disk with blocks of 4 KiB.
    pub(super) size: u64,
}

impl<W: Write> Archive<W> {
    pub(super) fn new(to: W) -> Self {
        Self { builder: tar::Builder::new(to), names: HashMap::new(), entries: 0, size: 0 }
    }

    /// Adds the node at a path.
    pub(super) fn add(&mut self, name: &Path, node: &Node<'_>) -> io::Result<()> {
        match node {
            Node::Deleted => {
                let mut mark = std::ffi::OsString::from(WHITEOUT);
                mark.push(name.file_name().unwrap_or_default());
                self.mark(&name.with_file_name(mark))
            }
            Node::Opaque => self.mark(&name.join(OPAQUE)),
            Node::File { path, metadata, content } => {
                self.file(name, path, metadata, *content).map_err(|error| at(path, &error))
            }
        }
    }

    fn mark(&mut self, name: &Path) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        header.set_mode(0o600);
        self.builder.append_data(&mut header, name, io::empty())
    }

    fn file(&mut self, name: &Path, path: &Path, metadata: &Metadata, content: Option<&str>) -> io::Result<()> {
        let kind = metadata.file_type();
        let mut header = tar::Header::new_gnu();
        header.set_mode(metadata.mode() & 0o7777);
        header.set_uid(metadata.uid().into());
        header.set_gid(metadata.gid().into());
        header.set_mtime(metadata.mtime().try_into().unwrap_or(0));
        header.set_size(0);
        self.entries += 1;
        if !metadata.is_dir() && metadata.nlink() > 1 && content.is_none() {
            let inode = (metadata.dev(), metadata.ino());
            if let Some(first) = self.names.get(&inode) {
                header.set_entry_type(tar::EntryType::Link);
                return self.builder.append_link(&mut header, name, first.clone());
            }
            self.names.insert(inode, name.to_owned());
        }
        if kind.is_symlink() {
            let target = std::fs::read_link(path)?;
            header.set_entry_type(tar::EntryType::Symlink);
            self.attributes(path)?;
            // Written literally, because a normalized target would be another link.
            return match header.set_link_name_literal(target.as_os_str().as_bytes()) {
                Ok(()) => self.builder.append_data(&mut header, name, io::empty()),
                Err(_) => self.builder.append_link(&mut header, name, target),
            };
        }
        if metadata.is_dir() {
            self.size += 4096;
            header.set_entry_type(tar::EntryType::Directory);
            self.attributes(path)?;
            return self.builder.append_data(&mut header, name.join(""), io::empty());
        }
        if metadata.is_file() {
            return self.regular(name, path, header, metadata.len(), content);
        }
        header.set_entry_type(if kind.is_fifo() {
            tar::EntryType::Fifo
        } else if kind.is_block_device() {
            tar::EntryType::Block
        } else {
            tar::EntryType::Char
        });
        header.set_device_major(rustix::fs::major(metadata.rdev()))?;
        header.set_device_minor(rustix::fs::minor(metadata.rdev()))?;
        self.builder.append_data(&mut header, name, io::empty())
    }

    fn regular(
        &mut self,
        name: &Path,
        path: &Path,
        mut header: tar::Header,
        length: u64,
        content: Option<&str>,
    ) -> io::Result<()> {
        header.set_entry_type(tar::EntryType::Regular);
        if let Some(content) = content {
            header.set_size(content.len() as u64);
            self.size += (content.len() as u64).next_multiple_of(4096);
            return self.builder.append_data(&mut header, name, content.as_bytes());
        }
        let file = File::open(path)?;
        self.attributes(path)?;
        header.set_size(length);
        self.size += length.next_multiple_of(4096);
        // The length is fixed, so that a file that changes meanwhile does not corrupt the stream.
        self.builder.append_data(&mut header, name, file.chain(io::repeat(0)).take(length))
    }

    /// Adds extended attributes, such as capabilities of programs, except the overlay's own markers.
    fn attributes(&mut self, path: &Path) -> io::Result<()> {
        let mut names = vec![0_u8; 64 << 10];
        let length = match rustix::fs::llistxattr(path, &mut names[..]) {
            Ok(length) => length,
            Err(Errno::NOTSUP) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut found = Vec::new();
        for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let Ok(name) = std::str::from_utf8(name) else { continue };
            if name.starts_with("trusted.") || name.starts_with("user.overlay.") {
                continue;
            }
            let mut value = vec![0_u8; 64 << 10];
            let length = rustix::fs::lgetxattr(path, name, &mut value[..])?;
            value.truncate(length);
            found.push((format!("SCHILY.xattr.{name}"), value));
        }
        if found.is_empty() {
            return Ok(());
        }
        self.builder.append_pax_extensions(found.iter().map(|(name, value)| (name.as_str(), value.as_slice())))
    }

    /// Ends the stream.
    pub(super) fn finish(self) -> io::Result<W> {
        self.builder.into_inner()
    }
}
