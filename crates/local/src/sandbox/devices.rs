//! The kernel's own file systems in a sandbox: `/dev`, `/sys`, and what of `/proc` may not be written.

use std::path::{Path, PathBuf};

use ami_bake_core::Result;
use rustix::fs::{FileType, Mode};
use rustix::mount::{MountFlags, mount_bind};

use super::entry::Context;
use super::inside::{Inside, by_number};

/// The device files that every program may count on: name, major and minor number (kernel, devices.txt).
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

/// What of `/proc` changes the host when root writes it.
const GUARDED: [&str; 5] = ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/acpi"];

/// A `/dev` of its own.
pub(super) fn mount_dev(inside: &Inside) -> Result<()> {
    inside.mount("/dev", "tmpfs", MountFlags::NOSUID, c"mode=755,size=64k")?;
    let dev = inside.folder(Path::new("/dev"))?;
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
                .context(|| format!("make /dev/{name} in the sandbox"))?;
        } else {
            // A user namespace may make no device files, but it may use the host's.
            let device = Path::new("/dev").join(name);
            inside.bind(&device, &device, false)?;
        }
    }
    for (name, target) in LINKS {
        rustix::fs::symlinkat(target, &dev, name).context(|| format!("make /dev/{name} in the sandbox"))?;
    }
    let safe = MountFlags::NOSUID | MountFlags::NOEXEC;
    // Group 5 is `tty` everywhere; a user namespace that doesn't map it refuses it.
    inside
        .mount("/dev/pts", "devpts", safe, c"newinstance,ptmxmode=0666,mode=0620,gid=5")
        .or_else(|_| inside.mount("/dev/pts", "devpts", safe, c"newinstance,ptmxmode=0666,mode=0620"))?;
    inside.mount("/dev/shm", "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, c"mode=1777")
}

/// A `/sys` that can only be read. Where the kernel refuses a new one, for the network namespace is not the sandbox's,
/// the host's is shown.
pub(super) fn mount_sys(inside: &Inside, user_namespace: bool) -> Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::RDONLY;
    match inside.mount("/sys", "sysfs", flags, c"") {
        Ok(()) => Ok(()),
        Err(_) if user_namespace => {
            inside.bind(Path::new("/sys"), Path::new("/sys"), false)?;
            // Not being able to is no harm: nothing in it can be written by a user.
            let _ = inside.make_read_only(Path::new("/sys"));
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Keeps kernel settings from being written, and shows the machine's own boot id.
pub(super) fn guard_proc(inside: &Inside, user_namespace: bool, boot_id: Option<&str>) -> Result<()> {
    // In a user namespace the kernel itself keeps them from being written.
    for path in GUARDED.into_iter().filter(|_| !user_namespace) {
        let Some(found) = inside.find(Path::new(path))? else { continue };
        mount_bind(by_number(&found), by_number(&found)).context(|| format!("make {path} read-only in the sandbox"))?;
        inside.make_read_only(Path::new(path))?;
    }
    let Some(boot_id) = boot_id else { return Ok(()) };
    let doing = || "show the sandbox's boot id".to_owned();
    let place = PathBuf::from("/dev/.boot-id");
    let file = inside.file(&place)?;
    std::fs::write(by_number(&file), format!("{boot_id}\n")).context(doing)?;
    let target = Path::new("/proc/sys/kernel/random/boot_id");
    let Some(found) = inside.find(target)? else { return Ok(()) };
    mount_bind(by_number(&file), by_number(&found)).context(doing)?;
    inside.make_read_only(target)?;
    rustix::fs::unlinkat(inside.root(), "dev/.boot-id", rustix::fs::AtFlags::empty()).context(doing)
}
