//! Lists the files that changed on a machine: exactly those in the upper folder of its overlay.

use std::path::{Path, PathBuf};

/// The files below `upper`, with their paths in the machine. `None` when a folder can't be read, because without root it may
/// belong to another user of the sandbox.
pub(super) fn below(upper: &Path) -> Option<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::from("/")];
    while let Some(folder) = folders.pop() {
        let here = upper.join(folder.strip_prefix("/").ok()?);
        for entry in std::fs::read_dir(here).ok()? {
            let entry = entry.ok()?;
            let kind = entry.file_type().ok()?;
            let path = folder.join(entry.file_name());
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                files.push(path);
            }
        }
    }
    Some(files)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn files_have_the_machines_paths() {
        let upper = tempfile::tempdir().unwrap();
        let odd = std::ffi::OsStr::from_bytes(b"a\xff b");
        std::fs::create_dir_all(upper.path().join("etc/x")).unwrap();
        std::fs::write(upper.path().join("etc/x").join(odd), "").unwrap();
        std::fs::write(upper.path().join("top"), "").unwrap();
        std::os::unix::fs::symlink("top", upper.path().join("link")).unwrap();
        let mut found = below(upper.path()).unwrap();
        found.sort();
        assert_eq!(found, [Path::new("/etc/x").join(odd), PathBuf::from("/top")]);
        assert_eq!(below(&upper.path().join("top")), None);
    }
}
