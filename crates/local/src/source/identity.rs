//! The identity of a root file system, which is part of the digest.

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;

use ami_bake_core::plan::{Digest, Digester};
use ami_bake_core::{Error, Result};

/// Files that identify a system: its name and version, and the databases of the package managers (dpkg, apk, rpm in
/// three places, pacman), which change with every package. Reading every file of a system would take longer than a
/// bake.
const FILES: [&str; 7] = [
    "etc/os-release",
    "usr/lib/os-release",
    "var/lib/dpkg/status",
    "lib/apk/db/installed",
    "var/lib/rpm/rpmdb.sqlite",
    "usr/lib/sysimage/rpm/rpmdb.sqlite",
    "var/lib/rpm/Packages",
];

/// The identity of the system below `root`.
///
/// # Errors
/// When one of the files can't be read.
pub(super) fn of(root: &Path) -> Result<String> {
    let mut digester = Digester::default();
    for name in FILES {
        let path = root.join(name);
        match std::fs::read(&path) {
            Ok(content) => digester.part(name, content),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::preflight(format!("could not read {}", path.display())).because(error)),
        }
    }
    // One folder for each package, with the version in its name.
    let mut packages: Vec<String> = std::fs::read_dir(root.join("var/lib/pacman/local"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    packages.sort();
    digester.part("pacman", packages.join("\n"));
    Ok(digester.finish().to_string())
}

/// The identity of a folder: names, types, owners, sizes and times of everything in it. A root file system in a folder may
/// have no package manager.
///
/// # Errors
/// When the folder can't be read.
pub(super) fn of_tree(root: &Path) -> Result<String> {
    let mut digester = Digester::default();
    add(root, Path::new(""), &mut digester)
        .map_err(|error| Error::preflight(format!("could not read {}", root.display())).because(error))?;
    Ok(digester.finish().to_string())
}

fn add(root: &Path, name: &Path, digester: &mut Digester) -> std::io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::MetadataExt;
    let path = root.join(name);
    let data = std::fs::symlink_metadata(&path)?;
    digester.part("path", name.as_os_str().as_bytes());
    for number in [u64::from(data.mode()), u64::from(data.uid()), u64::from(data.gid()), data.rdev()] {
        digester.part("fact", number.to_be_bytes());
    }
    if data.is_dir() {
        let mut entries = std::fs::read_dir(&path)?.collect::<std::io::Result<Vec<_>>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        return entries.into_iter().try_for_each(|entry| add(root, &name.join(entry.file_name()), digester));
    }
    digester.part("size", data.size().to_be_bytes());
    digester.part("changed", data.mtime().to_be_bytes());
    digester.part("changed", data.mtime_nsec().to_be_bytes());
    if data.is_symlink() {
        digester.part("target", std::fs::read_link(&path)?.as_os_str().as_bytes());
    }
    Ok(())
}

/// The digest of a file's content.
///
/// # Errors
/// When the file can't be read.
pub(super) fn of_file(path: &Path) -> Result<Digest> {
    use sha2::Digest as _;
    let failed = |error: std::io::Error| Error::preflight(format!("could not read {}", path.display())).because(error);
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut hash = sha2::Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = file.read(&mut buffer).map_err(failed)?;
        if length == 0 {
            break;
        }
        hash.update(&buffer[..length]);
    }
    let mut text = String::from("sha256:");
    for byte in hash.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(Digest::from_text(text))
}
