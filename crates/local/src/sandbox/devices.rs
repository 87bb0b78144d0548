//! The kernel's own file systems in a sandbox: `/dev`, `/sys`, and the parts of `/proc` that are read-only.

use std::path::{Path, PathBuf};

use ami_bake_core::Result;
use rustix::fs::{FileType, Mode};
use rustix::mount::{MountFlags, mount_bind};

use super::failure::Context;
use super::new_root::{NewRoot, by_number};

/// The device files that programs rely on: name, major and minor number (kernel, devices.txt).
const DEVICES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// Links in `/dev`.
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// The parts of `/proc` through which root can change the host.
const GUARDED: [&str; 5] = ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/acpi"];

/// Mounts a new `/dev` for the sandbox.
pub(super) fn mount_dev(root: &NewRoot) -> Result<()> {
    root.mount("/dev", "tmpfs", MountFlags::NOSUID, c"mode=755,size=64k")?;
    let dev = root.folder(Path::new("/dev"))?;
    for (name, major, minor) in DEVICES {
        let made = rustix::fs::mknodat(
            &dev,
            name,
            FileType::CharacterDevice,
            Mode::from_raw_mode(0o666),
            rustix::fs::makedev(major, minor),
        );
        if made.is_ok() {
            rustix::fs::chmodat(&dev, name, Mode::from_raw_mode(0o666), rustix::fs::AtFlags::empty())
                .context(|| format!("create /dev/{name} in the sandbox"))?;
        } else {
            // A user namespace can't create device files, but it can bind the host's.
            let device = Path::new("/dev").join(name);
            root.bind(&device, &device, false)?;
        }
    }
    for (name, target) in LINKS {
        rustix::fs::symlinkat(target, &dev, name).context(|| format!("create /dev/{name} in the sandbox"))?;
    }
    let safe = MountFlags::NOSUID | MountFlags::NOEXEC;
    // Group 5 is `tty` everywhere; a user namespace that does not map it refuses the option.
    root.mount("/dev/pts", "devpts", safe, c"newinstance,ptmxmode=0666,mode=0620,gid=5")
        .or_else(|_| root.mount("/dev/pts", "devpts", safe, c"newinstance,ptmxmode=0666,mode=0620"))?;
    root.mount("/dev/shm", "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, c"mode=1777")
}

/// Mounts a read-only `/sys`. A user namespace that shares the host's network can't mount a new one; then the host's is
/// bind-mounted.
pub(super) fn mount_sys(root: &NewRoot, user_namespace: bool) -> Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::RDONLY;
    match root.mount("/sys", "sysfs", flags, c"") {
        Ok(()) => Ok(()),
        Err(_) if user_namespace => {
            root.bind(Path::new("/sys"), Path::new("/sys"), false)?;
            // A failure is harmless: a user can't write anything in it.
            let _ = root.make_read_only(Path::new("/sys"));
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Makes kernel settings read-only, and shows the sandbox's own boot id.
pub(super) fn guard_proc(root: &NewRoot, user_namespace: bool, boot_id: Option<&str>) -> Result<()> {
    // In a user namespace the kernel itself refuses writes.
    for path in GUARDED.into_iter().filter(|_| !user_namespace) {
        let Some(found) = root.find(Path::new(path))? else { continue };
        mount_bind(by_number(&found), by_number(&found)).context(|| format!("make {path} read-only in the sandbox"))?;
        root.make_read_only(Path::new(path))?;
    }
    let Some(boot_id) = boot_id else { return Ok(()) };
    let doing = || "show the sandbox's boot ID".to_owned();
    let place = PathBuf::from("/dev/.boot-id");
    let file = root.file(&place)?;
    std::fs::write(by_number(&file), format!("{boot_id}\n")).context(doing)?;
    let target = Path::new("/proc/sys/kernel/random/boot_id");
    let Some(found) = root.find(target)? else { return Ok(()) };
    mount_bind(by_number(&file), by_number(&found)).context(doing)?;
    root.make_read_only(target)?;
    rustix::fs::unlinkat(root.descriptor(), "dev/.boot-id", rustix::fs::AtFlags::empty()).context(doing)
}
