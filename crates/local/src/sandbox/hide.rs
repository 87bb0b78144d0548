//! A layer above the host's root that hides and replaces what a sandbox must not see.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ami_bake_core::Result;
use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};

use super::failure::Context;
use super::new_root::by_number;

/// The paths to hide or replace.
pub(super) struct Hidden<'a> {
    /// Folders that appear empty, and files that do not appear.
    pub(super) paths: &'a [PathBuf],
    /// Files whose content is replaced.
    pub(super) replace: &'a BTreeMap<PathBuf, String>,
    /// True when the markers are `user.overlay.*` attributes.
    pub(super) user_marks: bool,
}

impl Hidden<'_> {
    /// Fills the empty folder `at`. Paths that no layer has are skipped. For a symbolic link only the link is hidden,
    /// unless its target is listed too.
    pub(super) fn write(&self, at: &Path, lower: &[OwnedFd]) -> Result<()> {
        // Sorted, so that a folder comes before its content.
        let paths: BTreeSet<&PathBuf> = self.paths.iter().collect();
        let mut last: Option<&PathBuf> = None;
        for path in paths {
            if last.is_some_and(|last| path.starts_with(last)) {
                continue;
            }
            let doing = || format!("hide {}", path.display());
            let Some((_, metadata)) = lookup(lower, path) else { continue };
            let place = parents(at, lower, path)?;
            last = Some(path);
            if metadata.is_dir() {
                std::fs::create_dir(&place).context(doing)?;
                copy_attributes(&metadata, &place).context(doing)?;
                let name = if self.user_marks { "user.overlay.opaque" } else { "trusted.overlay.opaque" };
                rustix::fs::lsetxattr(&place, name, b"y", XattrFlags::empty()).context(doing)?;
            } else {
                // A character device 0/0 is the overlay's marker of a deleted file (kernel, overlayfs.rst).
                rustix::fs::mknodat(CWD, &place, FileType::CharacterDevice, Mode::empty(), 0).context(doing)?;
            }
        }
        for (path, content) in self.replace {
            let doing = || format!("replace {}", path.display());
            let Some((_, metadata)) = lookup(lower, path).filter(|(_, metadata)| metadata.is_file()) else { continue };
            if self.paths.iter().any(|hidden| path.starts_with(hidden)) {
                continue;
            }
            let place = parents(at, lower, path)?;
            std::fs::write(&place, content).context(doing)?;
            copy_attributes(&metadata, &place).context(doing)?;
        }
        Ok(())
    }
}

/// Creates the parent folders of `path` with the attributes that they have in the layers below.
fn parents(at: &Path, lower: &[OwnedFd], path: &Path) -> Result<PathBuf> {
    let relative = path.strip_prefix("/").unwrap_or(path);
    let mut place = at.to_owned();
    let mut below = PathBuf::from("/");
    for part in relative.parent().into_iter().flat_map(Path::components) {
        place.push(part);
        below.push(part);
        if place.is_dir() {
            continue;
        }
        let doing = || format!("hide {}", path.display());
        std::fs::create_dir(&place).context(doing)?;
        if let Some((_, metadata)) = lookup(lower, &below) {
            copy_attributes(&metadata, &place).context(doing)?;
        }
    }
    Ok(at.join(relative))
}

/// The topmost layer's entry at `path`.
fn lookup(lower: &[OwnedFd], path: &Path) -> Option<(PathBuf, std::fs::Metadata)> {
    let relative = path.strip_prefix("/").unwrap_or(path);
    lower.iter().find_map(|layer| {
        let place = Path::new(&by_number(layer)).join(relative);
        let metadata = std::fs::symlink_metadata(&place).ok()?;
        Some((place, metadata))
    })
}

/// Copies owner, mode and time. An owner that the user namespace does not map can't be set; root stays the owner then.
pub(super) fn copy_attributes(from: &std::fs::Metadata, to: &Path) -> std::io::Result<()> {
    let _ = std::os::unix::fs::lchown(to, Some(from.uid()), Some(from.gid()));
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(from.mode() & 0o7777))?;
    let time = Timespec { tv_sec: from.mtime(), tv_nsec: from.mtime_nsec() };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, to, &times, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}
