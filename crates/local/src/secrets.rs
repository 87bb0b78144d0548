//! The files of this system that a sandbox over it must not see.
//!
//! Everything that a step can read may end up in an image. These files are hidden:
//! * home directories, `/root`, the working directory, the image store; `/tmp` and `/run` are new in every sandbox;
//! * files below `/etc` that not every user may read: host keys, private keys, keytabs, passwords of services. Of
//!   `/etc/shadow` and `/etc/gshadow` only the hashes are removed, and files that `sudo` needs stay;
//! * folders below `/var/lib`, three levels deep, that not every user may enter: databases and data of other services;
//! * well-known paths: data of container engines, clusters and cloud agents, mail, backups, swap files.
//!
//! Files that a sandbox writes to these paths become part of its image like all others.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ami_bake_core::Result;

use crate::store::store_error;

/// Folders that appear empty, and files that do not appear.
const KNOWN: [&str; 23] = [
    "/root",
    "/home",
    "/tmp",
    "/run",
    "/var/tmp",
    "/var/mail",
    "/var/spool/mail",
    "/var/backups",
    "/var/crash",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/cloud",
    "/var/lib/kubelet",
    "/var/lib/rancher",
    "/var/lib/waagent",
    "/var/snap",
    "/etc/kubernetes",
    "/etc/rancher",
    "/lost+found",
    "/swapfile",
    "/swap.img",
    "/.dockerenv",
];

/// Files that only root can read but that are needed to become root, and the empty lock file of the user database.
const NEEDED: [&str; 3] = ["/etc/sudoers", "/etc/sudoers.d", "/etc/.pwd.lock"];

/// Password files: name, hash, and more fields (shadow(5), gshadow(5)).
const PASSWORDS: [&str; 2] = ["/etc/shadow", "/etc/gshadow"];

/// Folders of the system, which are never hidden as a home directory.
const SYSTEM: [&str; 12] =
    ["/", "/bin", "/boot", "/dev", "/etc", "/lib", "/proc", "/sbin", "/sys", "/usr", "/var", "/var/lib"];

/// The paths to hide, and the files whose content is replaced.
pub(crate) struct Secrets {
    pub(crate) hide: Vec<PathBuf>,
    pub(crate) replace: BTreeMap<PathBuf, String>,
}

/// Finds the secrets of this system. The folders `also` are hidden too.
pub(crate) fn of_host(also: &[&Path]) -> Result<Secrets> {
    let mut hide: Vec<PathBuf> = KNOWN.iter().map(PathBuf::from).collect();
    hide.extend(homes(&std::fs::read_to_string("/etc/passwd").unwrap_or_default()));
    let places = ["GITHUB_WORKSPACE", "RUNNER_TEMP", "RUNNER_WORKSPACE", "XDG_STATE_HOME", "XDG_CONFIG_HOME"];
    let places = places.into_iter().filter_map(std::env::var_os).map(PathBuf::from);
    let ours = places.chain(std::env::current_dir().ok()).chain(also.iter().map(|path| path.to_path_buf()));
    hide.extend(ours.filter(|path| path.is_absolute() && !is_system(path)));
    unreadable_files(Path::new("/etc"), &mut hide);
    closed_folders(Path::new("/var/lib"), 3, &mut hide);
    let mut replace = BTreeMap::new();
    for path in PASSWORDS.map(Path::new) {
        match std::fs::read_to_string(path) {
            Ok(text) => drop(replace.insert(path.to_owned(), without_hashes(&text))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(store_error("read", path, error)),
        }
    }
    Ok(Secrets { hide, replace })
}

fn is_system(path: &Path) -> bool {
    let inside = ["/bin", "/etc", "/lib", "/sbin", "/usr"].iter().any(|folder| path.starts_with(folder));
    inside || SYSTEM.iter().any(|folder| path == Path::new(folder))
}

/// Home directories of users: accounts from 1000 on, except nobody (login.defs(5), UID_MIN).
fn homes(passwd: &str) -> Vec<PathBuf> {
    let home = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let id: u32 = fields.get(2)?.parse().ok()?;
        let home = PathBuf::from(fields.get(5)?);
        ((1000..65534).contains(&id) && home.is_absolute() && !is_system(&home)).then_some(home)
    };
    passwd.lines().filter_map(home).collect()
}

fn may_others(metadata: &Metadata, bits: u32) -> bool {
    metadata.permissions().mode() & bits != 0
}

fn unreadable_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let spared = NEEDED.iter().chain(&PASSWORDS).any(|needed| path == Path::new(needed));
        let Ok(metadata) = entry.metadata() else { continue };
        if spared || metadata.is_symlink() {
            continue;
        }
        if metadata.is_dir() {
            unreadable_files(&path, found);
        } else if !may_others(&metadata, 0o004) {
            found.push(path);
        }
    }
}

fn closed_folders(folder: &Path, levels: u32, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        if !metadata.is_dir() {
            continue;
        }
        if !may_others(&metadata, 0o001) {
            found.push(entry.path());
        } else if levels > 1 {
            closed_folders(&entry.path(), levels - 1, found);
        }
    }
}

/// The file with `*`, which matches no password, instead of every hash.
fn without_hashes(text: &str) -> String {
    let line = |line: &str| {
        let mut fields: Vec<&str> = line.split(':').collect();
        match fields.get_mut(1) {
            Some(hash) if !matches!(*hash, "*" | "!" | "!!" | "!*") => *hash = "*",
            _ => {}
        }
        fields.join(":") + "\n"
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_hash_is_left() {
        let shadow =
            "root:$y$j9T$abc$def:19000:0:99999:7:::\ndaemon:*:19000::::::\nguest::1::::::\nlocked:!$6$x:1::::::\n";
        let clean = "root:*:19000:0:99999:7:::\ndaemon:*:19000::::::\nguest:*:1::::::\nlocked:*:1::::::\n";
        assert_eq!(without_hashes(shadow), clean);
    }

    #[test]
    fn only_peoples_homes_are_hidden() {
        let passwd = "root:x:0:0::/root:/bin/sh\nwww:x:33:33::/var/www:/bin/sh\nada:x:1000:1000::/data/ada:/bin/sh\n\
                      odd:x:1001:1001::/usr/lib/odd:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/sh\n";
        assert_eq!(homes(passwd), [PathBuf::from("/data/ada")]);
    }

    #[test]
    fn what_not_everybody_may_read_is_found() {
        let folder = tempfile::tempdir().unwrap();
        for (name, mode) in [("open", 0o644), ("key", 0o600), ("group", 0o640)] {
            let path = folder.path().join(name);
            std::fs::write(&path, "x").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let mut found = Vec::new();
        unreadable_files(folder.path(), &mut found);
        found.sort();
        assert_eq!(found, [folder.path().join("group"), folder.path().join("key")]);
    }
}
