//! Opens and mounts paths in the root of a sandbox before it is entered: symbolic links are resolved inside the new
//! root.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use ami_bake_core::Result;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount, mount_bind_recursive, mount_remount};

use super::failure::Context;

/// The root file system that is being set up.
pub(super) struct NewRoot(OwnedFd);

impl NewRoot {
    /// Opens a mounted root.
    pub(super) fn open(root: &Path) -> Result<Self> {
        let descriptor =
            rustix::fs::openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
                .context(|| format!("open {}", root.display()))?;
        Ok(Self(descriptor))
    }

    /// Descriptor of the root folder.
    pub(super) fn descriptor(&self) -> &OwnedFd {
        &self.0
    }

    /// Opens `path`; `None` when it does not exist.
    pub(super) fn find(&self, path: &Path) -> Result<Option<OwnedFd>> {
        match rustix::fs::openat2(
            &self.0,
            relative(path),
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
        ) {
            Ok(found) => Ok(Some(found)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error).context(|| format!("find {} in the sandbox", path.display())),
        }
    }

    /// Opens the folder `path`, which is created with its parents when it is missing.
    pub(super) fn folder(&self, path: &Path) -> Result<OwnedFd> {
        if let Some(found) = self.find(path)? {
            return Ok(found);
        }
        let doing = || format!("create the folder {} in the sandbox", path.display());
        let parent = match path.parent() {
            Some(parent) => self.folder(parent)?,
            None => self.0.as_fd().try_clone_to_owned().context(doing)?,
        };
        let name = path.file_name().unwrap_or_default();
        match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error).context(doing),
        }
        self.find(path)?.ok_or(Errno::NOENT).context(doing)
    }

    /// Opens the file `path`, which is created empty with its parents when it is missing.
    pub(super) fn file(&self, path: &Path) -> Result<OwnedFd> {
        if let Some(found) = self.find(path)? {
            return Ok(found);
        }
        let doing = || format!("create the file {} in the sandbox", path.display());
        let parent = self.folder(path.parent().unwrap_or(Path::new("/")))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&parent, path.file_name().unwrap_or_default(), flags, Mode::from_raw_mode(0o644))
            .context(doing)?;
        self.find(path)?.ok_or(Errno::NOENT).context(doing)
    }

    /// Mounts a new file system on the folder `path`.
    pub(super) fn mount(&self, path: &str, kind: &str, flags: MountFlags, options: &std::ffi::CStr) -> Result<()> {
        let target = self.folder(Path::new(path))?;
        mount(kind, by_number(&target), kind, flags, options)
            .context(|| format!("mount {kind} on {path} in the sandbox"))
    }

    /// Bind-mounts a path of the host at `target`, with the mounts below it.
    pub(super) fn bind(&self, source: &Path, target: &Path, read_only: bool) -> Result<()> {
        let doing = || format!("bind {} to {} in the sandbox", source.display(), target.display());
        let folder = std::fs::metadata(source).context(doing)?.is_dir();
        let place = if folder { self.folder(target)? } else { self.file(target)? };
        mount_bind_recursive(source, by_number(&place)).context(doing)?;
        if read_only { self.make_read_only(target) } else { Ok(()) }
    }

    /// Makes the mount on `path` read-only. Its other flags stay, because a user namespace must not clear them.
    pub(super) fn make_read_only(&self, path: &Path) -> Result<()> {
        let doing = || format!("make {} read-only in the sandbox", path.display());
        // Opened again, because a descriptor from before the mount refers to the folder below it.
        let Some(mounted) = self.find(path)? else { return Ok(()) };
        let now = rustix::fs::fstatvfs(&mounted).context(doing)?.f_flag;
        let mut flags = MountFlags::BIND | MountFlags::RDONLY;
        for (stat, flag) in [
            (rustix::fs::StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
            (rustix::fs::StatVfsMountFlags::NODEV, MountFlags::NODEV),
            (rustix::fs::StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
            (rustix::fs::StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
            (rustix::fs::StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
            (rustix::fs::StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
        ] {
            if now.contains(stat) {
                flags |= flag;
            }
        }
        mount_remount(by_number(&mounted), flags, c"").context(doing)
    }
}

/// A path of an open file for mount calls, which no change of the file system can redirect.
pub(super) fn by_number(descriptor: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", descriptor.as_raw_fd())
}

/// The path relative to the root, for `openat2`; `..` at the root stays at the root.
fn relative(path: &Path) -> PathBuf {
    let relative: PathBuf =
        path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir)).collect();
    if relative.as_os_str().is_empty() { PathBuf::from(".") } else { relative }
}
