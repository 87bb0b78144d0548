//! Which files of this machine's own root an export contains.
//!
//! An image on `host` consists of its changes over this machine's system, and an export of it contains that system. A
//! sandbox hides secrets of the host; an export omits more, because it leaves the machine. Of the host it only contains
//! the system:
//! * the folders of programs and settings: `/bin`, `/sbin`, `/lib*`, `/usr`, `/etc`; of `/var` its folders, and the files of
//!   the package managers' databases. Everything else (`/home`, `/root`, `/opt`, `/srv`, `/mnt`, `/boot`, data of services,
//!   logs, other file systems) is an empty folder or missing;
//! * only files that every user of this machine may read, plus `sudoers` and the programs in `/usr`; password files are
//!   without hashes;
//! * no identity, trust or network settings of this machine: see [`PRIVATE`];
//! * no sockets, pipes and devices.
//!
//! The changes of the image itself are in the layers above, and are exported completely.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::secrets::Secrets;

/// The part of the host that is exported.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Host {
    /// Absolute paths that are omitted.
    hide: Vec<PathBuf>,
    /// Files whose content is replaced.
    replace: BTreeMap<PathBuf, String>,
}

/// How much of a path is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visibility {
    /// Nothing of the path.
    Hidden,
    /// A folder without its content.
    Empty,
    /// The whole path; paths below it are decided separately.
    Whole,
}

/// Folders of the root that belong to the system.
const SYSTEM: [&str; 9] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "var"];

/// Folders of the root that every system has, exported empty (Filesystem Hierarchy Standard 3.0).
const STANDARD: [&str; 12] = ["boot", "dev", "home", "media", "mnt", "opt", "proc", "root", "run", "srv", "sys", "tmp"];

/// Parts of the system that may be on a file system of their own.
const PARTS: [&str; 5] = ["usr", "usr/local", "etc", "var", "var/lib"];

/// The databases of the package managers, without which nothing can be installed on the image.
const DATABASES: [&str; 8] = [
    "var/lib/dpkg",
    "var/lib/apt/extended_states",
    "var/lib/pam",
    "var/lib/ucf",
    "var/lib/rpm",
    "var/lib/pacman",
    "var/lib/systemd/deb-systemd-helper-enabled",
    "var/cache/debconf/templates.dat",
];

/// Settings of this machine that every user can read: its names and disks, and files that may contain credentials for
/// package managers, mail, proxies and mounts.
pub(super) const PRIVATE: [&str; 32] = [
    "etc/NetworkManager/system-connections",
    "etc/apt/apt.conf",
    "etc/apt/apt.conf.d/00proxy",
    "etc/apt/apt.conf.d/01proxy",
    "etc/apt/apt.conf.d/95proxies",
    "etc/apt/auth.conf",
    "etc/apt/auth.conf.d",
    "etc/conda",
    "etc/crypttab",
    "etc/docker",
    "etc/environment",
    "etc/environment.d",
    "etc/fstab",
    "etc/gitconfig",
    "etc/hostname",
    "etc/hosts",
    "etc/machine-id",
    "etc/msmtprc",
    "etc/netplan",
    "etc/netrc",
    "etc/npmrc",
    "etc/openvpn",
    "etc/pip.conf",
    "etc/profile.d/proxy.sh",
    "etc/resolv.conf",
    "etc/ssh",
    "etc/ssl/private",
    "etc/systemd/network",
    "etc/wgetrc",
    "etc/wireguard",
    "usr/local/etc",
    "usr/etc/npmrc",
];

/// Files that only root can read, but without which nobody can become root.
const NEEDED: [&str; 3] = ["etc/sudoers", "etc/sudoers.d", "etc/.pwd.lock"];

impl Host {
    /// The host except for the paths that a sandbox hides, and mounts that are not parts of the system.
    pub(super) fn new(secrets: Secrets, mounted: Vec<PathBuf>) -> Self {
        let is_part =
            |path: &Path| path == Path::new("/") || PARTS.iter().any(|part| path == Path::new("/").join(part));
        let mut hide = secrets.hide;
        hide.extend(mounted.into_iter().filter(|path| !is_part(path)));
        Self { hide, replace: secrets.replace }
    }

    /// How much of the path `name`, relative to the root, is exported.
    pub(super) fn visibility(&self, name: &Path, metadata: &Metadata) -> Visibility {
        let is_folder = metadata.is_dir();
        let without_content = if is_folder { Visibility::Empty } else { Visibility::Hidden };
        let Some(top) = name.components().next().and_then(|part| part.as_os_str().to_str()) else {
            return Visibility::Hidden;
        };
        if !SYSTEM.contains(&top) {
            return if is_folder && STANDARD.contains(&top) { Visibility::Empty } else { Visibility::Hidden };
        }
        if metadata.is_symlink() {
            return if is_private(name) { Visibility::Hidden } else { Visibility::Whole };
        }
        if !is_folder && !metadata.is_file() {
            return Visibility::Hidden;
        }
        let absolute = Path::new("/").join(name);
        if is_private(name) || self.hide.iter().any(|hidden| absolute.starts_with(hidden)) {
            return without_content;
        }
        if self.replace.contains_key(&absolute) {
            return Visibility::Whole;
        }
        let of_packages = name.starts_with("usr") && !name.starts_with("usr/local");
        let everybody = if is_folder { 0o001 } else { 0o004 };
        let is_open = metadata.mode() & everybody != 0;
        let needed = || NEEDED.iter().any(|needed| name.starts_with(needed));
        if !is_open && !of_packages && !needed() {
            return without_content;
        }
        let is_data = top == "var" && !DATABASES.iter().any(|kept| name.starts_with(kept));
        if is_data && !is_folder { Visibility::Hidden } else { Visibility::Whole }
    }

    /// The replaced content of a file.
    pub(super) fn replaced(&self, name: &Path) -> Option<&str> {
        self.replace.get(&Path::new("/").join(name)).map(String::as_str)
    }
}

fn is_private(name: &Path) -> bool {
    PRIVATE.iter().any(|private| name.starts_with(private))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::export::tree::{Layer, Node, merged};

    /// A machine with a secret in every possible place; none of them may be in the export.
    #[test]
    fn no_secret_of_the_host_is_exported() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, mode: u32| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, format!("content of {name}")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let secret = [
            ("root/.ssh/id_ed25519", 0o600),
            ("root/.aws/credentials", 0o644),
            ("home/ada/.netrc", 0o644),
            ("opt/app/secrets.env", 0o644),
            ("srv/data/dump.sql", 0o644),
            ("data/customers.db", 0o644),
            ("boot/grub/grub.cfg", 0o644),
            ("tmp/token", 0o644),
            ("run/secrets/token", 0o644),
            ("swapfile", 0o644),
            ("etc/ssh/ssh_host_rsa_key", 0o600),
            ("etc/ssh/ssh_host_rsa_key.pub", 0o644),
            ("etc/ssl/private/site.key", 0o644),
            ("etc/app/password", 0o640),
            ("etc/apt/auth.conf.d/internal.conf", 0o644),
            ("etc/environment", 0o644),
            ("etc/machine-id", 0o444),
            ("etc/hidden/by-the-sandbox", 0o644),
            ("etc/pod/token", 0o644),
            ("usr/share/mounted/file", 0o644),
            ("usr/local/etc/app.conf", 0o644),
            ("usr/local/bin/own-and-closed", 0o700),
            ("var/lib/postgresql/16/main/base", 0o644),
            ("var/log/auth.log", 0o644),
            ("var/www/app/.env", 0o644),
            ("var/spool/cron/crontabs/root", 0o644),
            ("var/cache/debconf/passwords.dat", 0o644),
        ];
        let system = [
            ("usr/bin/tool", 0o755),
            ("usr/bin/closed-tool", 0o4711),
            ("usr/local/bin/tool", 0o755),
            ("etc/passwd", 0o644),
            ("etc/sudoers", 0o440),
            ("var/lib/dpkg/status", 0o644),
        ];
        for (name, mode) in secret.iter().chain(&system) {
            write(name, *mode);
        }
        write("etc/shadow", 0o640);
        std::os::unix::fs::symlink("usr/bin", root.path().join("bin")).unwrap();
        let secrets = Secrets {
            hide: vec![PathBuf::from("/etc/hidden")],
            replace: BTreeMap::from([(PathBuf::from("/etc/shadow"), "root:*:\n".to_owned())]),
        };
        let mounted = ["/", "/usr", "/usr/share/mounted", "/etc/pod/token"].map(PathBuf::from);
        let host = Host::new(secrets, mounted.to_vec());
        let (mut files, mut folders, mut shadow) = (Vec::new(), Vec::new(), None);
        let layer = Layer { path: root.path().to_owned(), host: Some(host) };
        merged(&[layer], &mut |name, node| {
            let Node::File { metadata, content, .. } = node else { panic!("a mark of an overlay") };
            let name = name.to_str().unwrap().to_owned();
            if metadata.is_dir() {
                folders.push(name);
            } else if name == "etc/shadow" {
                shadow = content.map(str::to_owned);
            } else {
                files.push(name);
            }
            Ok(())
        })
        .unwrap();
        let mut expected: Vec<&str> = system.iter().map(|(name, _)| *name).chain(["bin"]).collect();
        expected.sort_unstable();
        files.sort();
        assert_eq!(files, expected);
        assert_eq!(shadow.as_deref(), Some("root:*:\n"), "without hashes");
        for folder in ["root", "home", "opt", "tmp", "etc/ssl/private", "etc/hidden", "var/log"] {
            assert!(folders.iter().any(|found| found == folder), "{folder} in {folders:?}");
        }
        assert!(!folders.iter().any(|found| found == "data"), "a non-standard folder is left out");
    }
}
