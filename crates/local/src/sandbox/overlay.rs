//! Overlay mounts: read-only layers, and a folder for the changes on top.

use std::ffi::CString;
use std::fmt::Write as _;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use ami_bake_core::{Error, Result};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{MountFlags, mount};

use super::failure::Context;

/// An overlay to mount.
pub(super) struct Overlay<'a> {
    /// Read-only layers, top first; at least two if there is no folder for changes.
    pub(super) lower: &'a [OwnedFd],
    /// Folders for changes; without them the overlay is read-only.
    pub(super) changes: Option<Changes<'a>>,
    /// True in a user namespace, which can't write `trusted.*` attributes: the markers are `user.overlay.*` attributes.
    pub(super) user_marks: bool,
}

/// Folders for the changes to an overlay.
pub(super) struct Changes<'a> {
    /// The folder that becomes a layer.
    pub(super) upper: &'a Path,
    /// The kernel's work folder.
    pub(super) work: &'a Path,
    /// True to skip syncing to the disk.
    pub(super) volatile: bool,
}

/// Opens a layer.
pub(super) fn layer(path: &Path) -> Result<OwnedFd> {
    rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .context(|| format!("open the layer {}", path.display()))
}

impl Overlay<'_> {
    /// Mounts the overlay on `target`.
    ///
    /// Layers are passed as open descriptors, because their paths may contain the separators of the option string, which is
    /// also limited to a page.
    pub(super) fn mount(&self, target: &Path) -> Result<()> {
        let number = |descriptor: &OwnedFd| format!("/proc/self/fd/{}", descriptor.as_raw_fd());
        let lower: Vec<String> = self.lower.iter().map(number).collect();
        // Without redirects, index and metadata-only copies, since a layer must mean the same in every stack.
        let mut options = format!("lowerdir={},index=off", lower.join(":"));
        // `userxattr` implies the other two, and the kernel refuses the combination.
        options.push_str(if self.user_marks { ",userxattr" } else { ",redirect_dir=off,metacopy=off" });
        let mut open = Vec::new();
        if let Some(changes) = &self.changes {
            let (upper, work) = (layer(changes.upper)?, layer(changes.work)?);
            let _ = write!(options, ",upperdir={},workdir={}", number(&upper), number(&work));
            open.extend([upper, work]);
            if changes.volatile {
                options.push_str(",volatile");
                // A volatile mount leaves a marker of an unclean unmount, which is normal for a sandbox.
                let _ = std::fs::remove_dir_all(changes.work.join("work/incompat"));
            }
        }
        let options = CString::new(options)
            .map_err(|error| Error::internal("could not build the mount options").because(error))?;
        // Device files that a step creates must not give access to the host's disks.
        mount("overlay", target, "overlay", MountFlags::NODEV, options.as_c_str())
            .context(|| format!("mount an overlay on {}", target.display()))
            .map_err(|error| {
                error.help(
                    "The store must be on a file system such as ext4, xfs, btrfs or tmpfs, not on an overlay or a network \
                     file system. Set another folder with --store.",
                )
            })
    }
}
