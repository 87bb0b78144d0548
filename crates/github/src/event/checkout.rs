//! Finds the commit that is checked out. Hand-written: the action's container has no git, and git refuses checkouts of
//! another user.

use std::path::{Path, PathBuf};

/// The commit that is checked out around `folder`, in 40 or 64 hexadecimal digits; `None` if it can't be determined
/// (gitrepository-layout(5)).
pub(super) fn commit(folder: &Path) -> Option<String> {
    let folder = std::fs::canonicalize(folder).ok()?;
    let git = folder.ancestors().find_map(repository)?;
    let head = std::fs::read_to_string(git.join("HEAD")).ok()?;
    match head.trim().strip_prefix("ref:").map(str::trim) {
        None => valid(head.trim()),
        Some(name) => {
            let loose = std::fs::read_to_string(git.join(name)).ok();
            loose.as_deref().and_then(|text| valid(text.trim())).or_else(|| packed(&git, name))
        }
    }
}

/// The repository whose work tree is in `folder`: `.git`, or the folder that the file `.git` names.
fn repository(folder: &Path) -> Option<PathBuf> {
    let path = folder.join(".git");
    if path.is_dir() {
        return Some(path);
    }
    let text = std::fs::read_to_string(path).ok()?;
    Some(folder.join(text.trim().strip_prefix("gitdir:")?.trim()))
}

fn packed(git: &Path, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(git.join("packed-refs")).ok()?;
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(_, packed)| *packed == name)
        .and_then(|(id, _)| valid(id))
}

fn valid(id: &str) -> Option<String> {
    ([40, 64].contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d";

    #[test]
    fn a_commit_is_found_as_git_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let images = dir.path().join("images");
        std::fs::create_dir(&images).unwrap();
        write(".git/HEAD", &format!("{ID}\n"));
        assert_eq!(commit(&images).as_deref(), Some(ID));
        write(".git/HEAD", "ref: refs/heads/main\n");
        assert_eq!(commit(&images), None);
        write(".git/packed-refs", &format!("# pack-refs with: peeled\n{ID} refs/heads/main\n^{ID}\n"));
        assert_eq!(commit(&images).as_deref(), Some(ID));
        let other = ID.replace('1', "9");
        write(".git/refs/heads/main", &other);
        assert_eq!(commit(&images), Some(other));
        // A nested checkout determines the commit of its files.
        write("images/.git", "gitdir: ../modules/images\n");
        write("modules/images/HEAD", ID);
        assert_eq!(commit(&images).as_deref(), Some(ID));
        // A link into another checkout belongs to that checkout: the folder is resolved first.
        write("modules/images/HEAD", "ref: refs/heads/.invalid");
        assert_eq!(commit(&images), None);
    }
}
