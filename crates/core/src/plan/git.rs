//! What belongs to Git itself in a work tree.

use std::ffi::OsStr;
use std::path::Path;

/// Git's own folder in a work tree. A checkout may keep the token of a workflow in it (actions/checkout, `persist-credentials`).
pub const GIT_FOLDER: &str = ".git";

/// Whether a name is that of Git's own folder, or of the file that names the folder in a submodule. Case does not count,
/// as in file systems of other computers.
pub fn is_git_name(name: &OsStr) -> bool {
    name.eq_ignore_ascii_case(GIT_FOLDER)
}

/// Whether a folder is one of Git's own under any name, such as that of `git init --separate-git-dir`, or a bare repository:
/// what Git itself looks for (gitrepository-layout).
pub fn is_git_folder(folder: &Path) -> bool {
    folder.join("HEAD").exists() && folder.join("objects").is_dir() && folder.join("refs").is_dir()
}
