//! The overlay mount: layers below, the changes on top.

use std::ffi::CString;
use std::fmt::Write as _;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use ami_bake_core::{Error, Result};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{MountFlags, mount};

use super::entry::Context;

/// One overlay.
pub(super) struct Overlay<'a> {
    /// Layers below, top first; two at least where there are no changes.
    pub(super) lower: &'a [OwnedFd],
    /// Where changes go; without it is read-only.
    pub(super) changes: Option<Changes<'a>>,
    /// True in a user namespace: marks are `user.overlay.*` attributes, for it may not write `trusted.*` ones.
    pub(super) user_marks: bool,
}

/// Where the changes to an overlay go.
pub(super) struct Changes<'a> {
    /// The folder that becomes a layer.
    pub(super) upper: &'a Path,
    /// The kernel's work folder.
    pub(super) work: &'a Path,
    /// True: syncing does nothing.
    pub(super) volatile: bool,
}

/// Opens a layer.
pub(super) fn layer(path: &Path) -> Result<OwnedFd> {
    rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .context(|| format!("open the layer {}", path.display()))
}

impl Overlay<'_> {
    /// Mounts it on `target`.
    ///
    /// Layers go in as numbers of open descriptors: a path may hold the option string's separators, and the string may
    /// be no longer than a page.
    pub(super) fn mount(&self, target: &Path) -> Result<()> {
        let number = |descriptor: &OwnedFd| format!("/proc/self/fd/{}", descriptor.as_raw_fd());
        let lower: Vec<String> = self.lower.iter().map(number).collect();
        // No redirects, no index, no metadata-only copies: a layer has to mean the same wherever it is stacked.
        let mut options = format!("lowerdir={},index=off", lower.join(":"));
        // With `userxattr` the kernel leaves the other two off by itself, and refuses to be told so.
        options.push_str(if self.user_marks { ",userxattr" } else { ",redirect_dir=off,metacopy=off" });
        let mut open = Vec::new();
        if let Some(changes) = &self.changes {
            let (upper, work) = (layer(changes.upper)?, layer(changes.work)?);
            let _ = write!(options, ",upperdir={},workdir={}", number(&upper), number(&work));
            open.extend([upper, work]);
            if changes.volatile {
                options.push_str(",volatile");
                // The mark that a volatile mount leaves says that the last one was not unmounted in peace. No sandbox
                // ever is, and the machine that it ran on still stands.
                let _ = std::fs::remove_dir_all(changes.work.join("work/incompat"));
            }
        }
        let options = CString::new(options).map_err(|error| Error::internal("spell mount options").because(error))?;
        // Device files that a step makes are files like others here, no way to the host's disks.
        mount("overlay", target, "overlay", MountFlags::NODEV, options.as_c_str())
            .context(|| format!("mount an overlay on {}", target.display()))
            .map_err(|error| {
                error.help(
                    "The folder has to be on a file system such as ext4, xfs, btrfs or tmpfs, not on an overlay or a \
                     network file system. Give another one with --store.",
                )
            })
    }
}
