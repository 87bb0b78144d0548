//! Visits the files of one layer, or of several layers merged, in order.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::host::{Host, Visibility};

/// A layer: a folder with an overlay's marks, or this machine's root.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Layer {
    /// Folder of the layer.
    pub(crate) path: PathBuf,
    /// The part that is exported, if it is this machine's root.
    pub(crate) host: Option<Host>,
}

/// An entry at a path of a layer.
pub(super) enum Node<'a> {
    /// A file of any kind at `path`, possibly with a replaced content.
    File { path: &'a Path, metadata: &'a Metadata, content: Option<&'a str> },
    /// A deleted path, which hides the layers below.
    Deleted,
    /// A folder that hides the content of the same folder in the layers below.
    Opaque,
}

/// Called with a path, relative to the root, and its node. A folder comes before its content.
pub(super) type Visit<'v> = dyn FnMut(&Path, &Node<'_>) -> io::Result<()> + 'v;

/// Visits the merged layers, top first, as a machine sees them.
pub(super) fn merged(layers: &[Layer], visit: &mut Visit<'_>) -> io::Result<()> {
    visit_folder(&layers.iter().collect::<Vec<_>>(), Path::new(""), false, visit)
}

/// Visits one layer, including its markers.
pub(super) fn alone(layer: &Layer, visit: &mut Visit<'_>) -> io::Result<()> {
    visit_folder(&[layer], Path::new(""), true, visit)
}

fn visit_folder(layers: &[&Layer], name: &Path, marks: bool, visit: &mut Visit<'_>) -> io::Result<()> {
    let mut found: BTreeMap<OsString, Vec<(&Layer, Metadata, Visibility)>> = BTreeMap::new();
    for layer in layers {
        let folder = layer.path.join(name);
        for entry in std::fs::read_dir(&folder).map_err(|error| at(&folder, &error))? {
            let entry = entry.map_err(|error| at(&folder, &error))?;
            let metadata = match entry.metadata() {
                // A file of the running system that was deleted meanwhile.
                Err(error) if layer.host.is_some() && error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(|error| at(&entry.path(), &error))?,
            };
            let visibility = layer
                .host
                .as_ref()
                .map_or(Visibility::Whole, |host| host.visibility(&name.join(entry.file_name()), &metadata));
            if visibility != Visibility::Hidden && !metadata.file_type().is_socket() {
                found.entry(entry.file_name()).or_default().push((layer, metadata, visibility));
            }
        }
    }
    for (child, entries) in found {
        let path = name.join(child);
        let Some((layer, metadata, _)) = entries.first() else { continue };
        if is_deleted(metadata) {
            if marks {
                visit(&path, &Node::Deleted)?;
            }
            continue;
        }
        let file = layer.path.join(&path);
        let content = layer.host.as_ref().and_then(|host| host.replaced(&path));
        visit(&path, &Node::File { path: &file, metadata, content })?;
        if !metadata.is_dir() {
            continue;
        }
        let mut below = Vec::new();
        for (layer, metadata, visibility) in &entries {
            if !metadata.is_dir() {
                break;
            }
            if *visibility == Visibility::Whole {
                below.push(*layer);
            }
            if layer.host.is_none() && is_opaque(&layer.path.join(&path))? {
                break;
            }
        }
        if marks && layer.host.is_none() && is_opaque(&file)? {
            visit(&path, &Node::Opaque)?;
        }
        visit_folder(&below, &path, marks, visit)?;
    }
    Ok(())
}

/// Whether it is the overlay's marker of a deleted file, a character device 0/0 (kernel, overlayfs.rst).
fn is_deleted(metadata: &Metadata) -> bool {
    metadata.file_type().is_char_device() && metadata.rdev() == 0
}

/// Whether a folder has the overlay's marker of an opaque folder, set by root or in a user namespace.
fn is_opaque(folder: &Path) -> io::Result<bool> {
    for name in ["trusted.overlay.opaque", "user.overlay.opaque"] {
        let mut value = [0; 1];
        match rustix::fs::lgetxattr(folder, name, &mut value) {
            Ok(1) if value == *b"y" => return Ok(true),
            Ok(_) | Err(Errno::NODATA | Errno::NOTSUP | Errno::RANGE | Errno::PERM) => {}
            Err(error) => return Err(at(folder, &error.into())),
        }
    }
    Ok(false)
}

/// An error with its path.
pub(super) fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
