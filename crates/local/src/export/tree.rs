//! The files of one layer, or of several on top of each other, in order.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::host::{Host, Shown};

/// A layer: a folder with an overlay's marks, or this machine's own root.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Layer {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What of it may be seen, where it is this machine's root.
    pub(crate) host: Option<Host>,
}

/// What is at a path.
pub(super) enum Node<'a> {
    /// A file of any kind, at `place`; with another content where there is one.
    File { place: &'a Path, metadata: &'a Metadata, content: Option<&'a str> },
    /// Nothing: what the layers below have here is gone.
    Gone,
    /// The folder hides what the layers below have in it.
    Opaque,
}

/// Takes a path, relative to the root, and what is there. A folder comes before what is in it.
pub(super) type Visit<'v> = dyn FnMut(&Path, &Node<'_>) -> io::Result<()> + 'v;

/// Visits what a machine on these layers, top first, would see.
pub(super) fn merged(layers: &[Layer], visit: &mut Visit<'_>) -> io::Result<()> {
    folder(&layers.iter().collect::<Vec<_>>(), Path::new(""), false, visit)
}

/// Visits one layer, with its marks.
pub(super) fn alone(layer: &Layer, visit: &mut Visit<'_>) -> io::Result<()> {
    folder(&[layer], Path::new(""), true, visit)
}

fn folder(layers: &[&Layer], name: &Path, marks: bool, visit: &mut Visit<'_>) -> io::Result<()> {
    let mut found: BTreeMap<OsString, Vec<(&Layer, Metadata, Shown)>> = BTreeMap::new();
    for layer in layers {
        let place = layer.path.join(name);
        for entry in std::fs::read_dir(&place).map_err(|error| at(&place, &error))? {
            let entry = entry.map_err(|error| at(&place, &error))?;
            let metadata = match entry.metadata() {
                // A file of the running system that went this moment.
                Err(error) if layer.host.is_some() && error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(|error| at(&entry.path(), &error))?,
            };
            let shown =
                layer.host.as_ref().map_or(Shown::Whole, |host| host.shown(&name.join(entry.file_name()), &metadata));
            if shown != Shown::Not && !metadata.file_type().is_socket() {
                found.entry(entry.file_name()).or_default().push((layer, metadata, shown));
            }
        }
    }
    for (child, entries) in found {
        let path = name.join(child);
        let Some((layer, metadata, _)) = entries.first() else { continue };
        if is_gone(metadata) {
            if marks {
                visit(&path, &Node::Gone)?;
            }
            continue;
        }
        let place = layer.path.join(&path);
        let content = layer.host.as_ref().and_then(|host| host.replaced(&path));
        visit(&path, &Node::File { place: &place, metadata, content })?;
        if !metadata.is_dir() {
            continue;
        }
        let mut below = Vec::new();
        for (layer, metadata, shown) in &entries {
            if !metadata.is_dir() {
                break;
            }
            if *shown == Shown::Whole {
                below.push(*layer);
            }
            if layer.host.is_none() && is_opaque(&layer.path.join(&path))? {
                break;
            }
        }
        if marks && layer.host.is_none() && is_opaque(&place)? {
            visit(&path, &Node::Opaque)?;
        }
        folder(&below, &path, marks, visit)?;
    }
    Ok(())
}

/// The overlay's mark for a file that is gone: a character device 0/0 (kernel, overlayfs.rst).
fn is_gone(metadata: &Metadata) -> bool {
    metadata.file_type().is_char_device() && metadata.rdev() == 0
}

/// The overlay's mark for a folder that is another one than below, written by root or in a user namespace.
fn is_opaque(place: &Path) -> io::Result<bool> {
    for name in ["trusted.overlay.opaque", "user.overlay.opaque"] {
        let mut value = [0; 1];
        match rustix::fs::lgetxattr(place, name, &mut value) {
            Ok(1) if value == *b"y" => return Ok(true),
            Ok(_) | Err(Errno::NODATA | Errno::NOTSUP | Errno::RANGE | Errno::PERM) => {}
            Err(error) => return Err(at(place, &error.into())),
        }
    }
    Ok(false)
}

/// An error with its path.
pub(super) fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
