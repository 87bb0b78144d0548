//! Mounts the parts of the host's system that are on file systems of their own. An overlay over `/` does not show what
//! is mounted below `/`, so each of them gets an overlay, too; its changes go to the same upper folder, at their path.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use ami_bake_core::Result;

use super::failure::Context;
use super::hide::copy_attributes;
use super::new_root::{NewRoot, by_number};
use super::overlay::{Changes, Overlay, layer};
use super::spec::Spec;

/// Folders of a system. Mounts elsewhere (`/boot/efi`, `/mnt`, `/media`) are not part of an image.
const SYSTEM: [&str; 9] = ["/usr", "/var", "/etc", "/opt", "/srv", "/bin", "/sbin", "/lib", "/lib64"];

/// File systems that contain no files of a system: the kernel's own, memory, and images of other programs.
const IGNORED: [&str; 12] = [
    "proc",
    "sysfs",
    "tmpfs",
    "ramfs",
    "devtmpfs",
    "devpts",
    "mqueue",
    "autofs",
    "squashfs",
    "overlay",
    "nsfs",
    "rpc_pipefs",
];

/// The host's mounts that belong to a sandbox over `/`, outermost first.
pub(super) fn of_system(hidden: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let text =
        std::fs::read_to_string("/proc/self/mountinfo").context(|| "list the mounts of this system".to_owned())?;
    Ok(parse(&text, hidden).into_iter().filter(|path| path.is_dir()).collect())
}

/// All mount points of this system.
pub(crate) fn points() -> Result<Vec<PathBuf>> {
    let text =
        std::fs::read_to_string("/proc/self/mountinfo").context(|| "list the mounts of this system".to_owned())?;
    Ok(text.lines().filter_map(|line| Some(PathBuf::from(unescape(line.split(' ').nth(4)?)))).collect())
}

/// Parses lines of the form `ID PARENT MAJOR:MINOR ROOT MOUNT-POINT OPTIONS … - KIND SOURCE OPTIONS`
/// (proc_pid_mountinfo(5)).
fn parse(text: &str, hidden: &[PathBuf]) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = text
        .lines()
        .filter_map(|line| {
            let (place, what) = line.split_once(" - ")?;
            let path = PathBuf::from(unescape(place.split(' ').nth(4)?));
            let kind = what.split(' ').next()?;
            let other = IGNORED.contains(&kind) || kind.starts_with("fuse") || kind.starts_with("cgroup");
            let system = SYSTEM.iter().any(|folder| path.starts_with(folder));
            (system && !other && !hidden.iter().any(|hidden| path.starts_with(hidden))).then_some(path)
        })
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

/// Decodes a path, in which blanks, tabs, line ends and backslashes are written as three octal digits.
fn unescape(path: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(path.to_owned(), |path, (escaped, plain)| path.replace(escaped, plain))
}

/// Mounts an overlay over each of the mounts. `hide` is the layer that hides paths of the host.
pub(super) fn overlay(root: &NewRoot, spec: &Spec, mounts: &[PathBuf], hide: &Path, user_marks: bool) -> Result<()> {
    for (number, path) in mounts.iter().enumerate() {
        let doing = || format!("show {} in the sandbox", path.display());
        let relative = path.strip_prefix("/").unwrap_or(path);
        let [below, work] = ["below", "overlay"].map(|name| spec.work.join(format!("{name}-{number}")));
        for folder in [&below, &work] {
            std::fs::create_dir_all(folder).context(doing)?;
        }
        for folder in [hide, &spec.upper] {
            create_like_host(folder, relative).context(doing)?;
        }
        let host = [layer(&hide.join(relative))?, layer(path)?];
        Overlay { lower: &host, changes: None, user_marks }.mount(&below)?;
        let images = spec.lower.iter().take(spec.lower.len().saturating_sub(1)).map(|lower| lower.join(relative));
        let mut lower =
            images.filter(|path| path.is_dir()).map(|path| layer(&path)).collect::<Result<Vec<OwnedFd>>>()?;
        lower.push(layer(&below)?);
        let changes = Some(Changes { upper: &spec.upper.join(relative), work: &work, volatile: spec.volatile });
        let target = root.folder(path)?;
        Overlay { lower: &lower, changes, user_marks }.mount(Path::new(&by_number(&target)))?;
    }
    Ok(())
}

/// Creates the folders of `relative` below `root` with the host's owners, modes and times.
fn create_like_host(root: &Path, relative: &Path) -> std::io::Result<()> {
    let (mut folder, mut host) = (root.to_owned(), PathBuf::from("/"));
    for part in relative {
        folder.push(part);
        host.push(part);
        if !folder.is_dir() {
            std::fs::create_dir(&folder)?;
            copy_attributes(&std::fs::metadata(&host)?, &folder)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_parts_of_the_system_are_shown() {
        let text = "27 1 254:0 / / rw - ext4 /dev/vda rw\n\
                    30 27 254:1 / /var/lib/my\\040data rw shared:1 - xfs /dev/vdb rw\n\
                    31 27 254:2 / /var rw - ext4 /dev/vdc rw\n\
                    32 27 254:3 / /boot/efi rw - vfat /dev/vdd rw\n\
                    33 27 0:5 / /var/lib/lxcfs rw - fuse.lxcfs lxcfs rw\n\
                    34 27 0:6 / /opt/cache rw - tmpfs tmpfs rw\n\
                    35 27 254:4 / /srv/secret rw - ext4 /dev/vde rw\n";
        let shown = parse(text, &[PathBuf::from("/srv/secret")]);
        assert_eq!(shown, [PathBuf::from("/var"), PathBuf::from("/var/lib/my data")]);
    }
}
