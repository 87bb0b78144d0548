//! The local files that a manifest or a template may refer to: those of the repository around it.

use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use ami_bake_core::plan::{GIT_FOLDER, is_git_folder, is_git_name};

/// The readable folders: the Git work tree around a file (without one, the file's folder), and those of
/// `--allow-files`. Links are resolved first: the real location counts.
#[derive(Debug, Clone, Default)]
pub struct FileAccess {
    /// Real paths of the folders.
    folders: Vec<PathBuf>,
    /// Real path of the Git work tree around the file.
    tree: Option<PathBuf>,
    /// Why the file may be a stranger's: a sentence without its full stop.
    strangers: Option<String>,
}

/// Why a local file could not be read.
#[derive(Debug)]
pub enum FileError {
    /// The file is not in a readable folder, or it is Git's own.
    Forbidden {
        /// The problem: a sentence fragment.
        message: String,
        /// What to do: a full sentence.
        help: String,
    },
    /// The file does not exist.
    Missing,
    /// The path is a folder, a device or a pipe.
    NotAFile,
    /// The file exceeds this limit in bytes.
    TooLarge(u64),
    /// The operating system can't read the file.
    Unreadable(std::io::Error),
}

impl std::fmt::Display for FileError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Forbidden { message, .. } => formatter.write_str(message),
            Self::Missing => formatter.write_str("no such file"),
            Self::NotAFile => formatter.write_str("not a regular file"),
            Self::TooLarge(limit) => write!(formatter, "larger than {limit} bytes"),
            Self::Unreadable(error) => error.fmt(formatter),
        }
    }
}

impl FileAccess {
    /// Access for a file in `folder`; `allowed` are further folders or files. Folders that do not exist allow nothing.
    pub fn around(folder: &Path, allowed: &[PathBuf]) -> Self {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let folder = real(folder);
        let tree = folder.as_deref().and_then(work_tree);
        let more = allowed.iter().filter_map(|path| std::fs::canonicalize(path).ok());
        Self { folders: tree.clone().or(folder).into_iter().chain(more).collect(), tree, strangers: None }
    }

    /// The access in a run that anyone can start; `why` is the reason: a sentence without its full stop.
    #[must_use]
    pub fn for_strangers(self, why: Option<&str>) -> Self {
        Self { strangers: why.map(str::to_owned), ..self }
    }

    /// Checks a file named by a person or a workflow, such as a manifest. It may be anywhere; but in a Git work tree,
    /// whose content may come from a stranger, it must not be a link that leads out of the tree.
    ///
    /// # Errors
    /// When it is such a link.
    pub fn check_named(path: &Path, allowed: &[PathBuf]) -> Result<(), FileError> {
        let Ok(full) = std::path::absolute(path) else { return Ok(()) };
        let Some(folder) = full.parent() else { return Ok(()) };
        // A parent folder may be a link, too.
        let folders = [Some(folder.to_owned()), std::fs::canonicalize(folder).ok()];
        for tree in folders.iter().flatten().filter_map(|folder| work_tree(folder)) {
            let access = Self::around(&tree, allowed);
            if matches!(access.locate(&full), Err(FileError::Forbidden { .. })) {
                let out = access
                    .folders
                    .first()
                    .map_or_else(|| "of its repository".to_owned(), |tree| format!("of {}", beside(tree)));
                return Err(FileError::Forbidden {
                    message: format!("`{}` is a link that leads out {out}", path.display()),
                    help: "Name the file that it leads to, or allow its folder with `--allow-files DIR` (input `allow-files`).".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// The real path, if it may be read; for a path that does not exist yet, the path that it would have.
    ///
    /// # Errors
    /// When the path may not be read, whether it exists or not.
    pub fn locate(&self, path: &Path) -> Result<PathBuf, FileError> {
        let real = real(path);
        let below =
            real.as_deref().and_then(|real| self.folders.iter().find_map(|folder| real.strip_prefix(folder).ok()));
        let shown = path.display();
        match (below, &real) {
            (Some(below), Some(real)) => {
                let named = |part: Component| is_git_name(part.as_os_str());
                let inside = |real: &Path| real.ancestors().take(below.components().count()).any(is_git_folder);
                if below.components().any(named) || inside(real) {
                    return Err(FileError::Forbidden {
                        message: format!("`{shown}` is in Git's own folder, which may contain credentials"),
                        help: "Copy the file out of that folder first.".to_owned(),
                    });
                }
                Ok(real.clone())
            }
            _ => Err(FileError::Forbidden {
                message: match self.folders.first() {
                    Some(folder) => format!("`{shown}` is outside of {}", beside(folder)),
                    None => format!("`{shown}` is outside of the folder of this file"),
                },
                help: "Move it there, or allow its folder with `--allow-files DIR` (input `allow-files`).".to_owned(),
            }),
        }
    }

    /// The real path of Git's own folder or file that a manifest takes by name (`exclude: ["!.git"]`), which is the user's
    /// own decision: only that of its work tree, and not in a run that anyone can start.
    ///
    /// # Errors
    /// When it may not be taken.
    pub(crate) fn locate_git(&self, path: &Path) -> Result<PathBuf, FileError> {
        let shown = path.display();
        if let Some(why) = &self.strangers {
            return Err(FileError::Forbidden {
                message: format!("`{shown}` is Git's own, which can't be uploaded in this workflow run"),
                help: format!("{why}. Remove the exception from `exclude` or `.bakeignore`."),
            });
        }
        let own = |real: &PathBuf| self.tree.is_some() && real.parent().and_then(work_tree) == self.tree;
        real(path).filter(own).ok_or_else(|| FileError::Forbidden {
            message: format!("`{shown}` is Git's own, and not of the repository that this manifest is in"),
            help: "Restrict the exception to the manifest's own repository, such as `!/.git`.".to_owned(),
        })
    }

    /// Reads a file of at most `limit` bytes, if it may be read.
    ///
    /// # Errors
    /// When it may not be read, is not a regular file, is larger, or can't be read.
    pub fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => FileError::Missing,
            _ => FileError::Unreadable(error),
        };
        let real = self.locate(path)?;
        // Opening a pipe would wait for its writer.
        if !std::fs::metadata(&real).map_err(failed)?.is_file() {
            return Err(FileError::NotAFile);
        }
        let mut bytes = Vec::new();
        File::open(&real).map_err(failed)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > limit { Err(FileError::TooLarge(limit)) } else { Ok(bytes) }
    }
}

/// The Git work tree around a folder, by the files on the disk: `GIT_WORK_TREE` and the like do not change it. A home
/// folder does not count: whoever keeps it in Git keeps credentials there, too. The workspace of a workflow counts even
/// without `.git`: actions/checkout downloads an archive if Git is not installed.
fn work_tree(folder: &Path) -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).and_then(|path| std::fs::canonicalize(path).ok());
    let (home, checkout) = (set("HOME"), set("GITHUB_WORKSPACE"));
    let tree =
        folder.ancestors().find(|above| above.join(GIT_FOLDER).exists() || checkout.as_deref() == Some(*above))?;
    let whole = tree.parent().is_none() || home.is_some_and(|home| home.starts_with(tree));
    (!whole).then(|| tree.to_owned())
}

/// The real path, with links resolved as far as the path exists; `None` when it can't be determined.
fn real(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let mut rest = Vec::new();
    let mut above = path.as_path();
    loop {
        match std::fs::canonicalize(above) {
            Ok(mut real) => {
                for part in rest.into_iter().rev() {
                    match part {
                        Component::ParentDir => _ = real.pop(),
                        Component::Normal(name) => real.push(name),
                        _ => {}
                    }
                }
                return Some(real);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // A dangling link: its target is unknown.
                if above.is_symlink() {
                    return None;
                }
                rest.push(above.components().next_back()?);
                above = parent(above)?;
            }
            // Part of the path is a file, or a folder without access.
            Err(_) => {
                rest.push(above.components().next_back()?);
                above = parent(above)?;
            }
        }
    }
}

/// The path without its last component, which may be `..`.
fn parent(path: &Path) -> Option<&Path> {
    let mut parts = path.components();
    parts.next_back()?;
    Some(parts.as_path())
}

/// A folder for messages: relative if the working directory is in or below it.
fn beside(folder: &Path) -> String {
    let here = std::env::current_dir().ok().and_then(|here| std::fs::canonicalize(here).ok());
    match here {
        Some(here) if here == *folder => "the working directory".to_owned(),
        Some(here) => format!("`{}`", folder.strip_prefix(here).unwrap_or(folder).display()),
        None => format!("`{}`", folder.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// All ways in which a path can leave a folder, for existing and missing files.
    #[test]
    fn no_path_leaves_the_work_tree() {
        let around = tempfile::tempdir().unwrap();
        let at = |name: &str| around.path().join(name);
        write(&at("secret"), "s");
        write(&at("other/x"), "o");
        write(&at("repository/.git/config"), "token");
        write(&at("repository/scripts/x.sh"), "x");
        write(&at("repository/images/bake.yml"), "m");
        for (link, to) in [
            ("out", "../../secret"),
            ("up", "../.."),
            ("in", "../scripts/x.sh"),
            ("environ", "/proc/self/environ"),
            ("dangling", "../../nothing"),
            ("git", "../.git"),
        ] {
            std::os::unix::fs::symlink(to, at("repository/images").join(link)).unwrap();
        }
        let folder = at("repository/images");
        let access = FileAccess::around(&folder, &[]);
        let read = |name: &str| access.read(&folder.join(name), 100);
        assert_eq!(read("../scripts/x.sh").unwrap(), b"x");
        assert_eq!(read("in").unwrap(), b"x");
        assert!(matches!(read("none"), Err(FileError::Missing)));
        assert!(matches!(read("../scripts"), Err(FileError::NotAFile)));
        assert!(matches!(access.read(&folder.join("bake.yml"), 0), Err(FileError::TooLarge(0))));
        for name in [
            "../../secret",
            "../../none",
            "out",
            "up/secret",
            "up/none",
            "environ",
            "dangling",
            "../.git/config",
            "../.GIT/config",
            "git/config",
            "none/../../../secret",
            "bake.yml/../../../secret",
            "/proc/self/environ",
            "/etc/passwd",
            "/",
        ] {
            assert!(matches!(read(name), Err(FileError::Forbidden { .. })), "{name}");
        }
        let wider = FileAccess::around(&folder, &[at("other"), at("none")]);
        assert_eq!(wider.read(&at("other/x"), 100).unwrap(), b"o");
        assert!(matches!(wider.read(&at("secret"), 100), Err(FileError::Forbidden { .. })));
    }

    #[test]
    fn a_file_that_a_person_names_may_be_anywhere_but_no_link_out_of_a_repository() {
        let around = tempfile::tempdir().unwrap();
        let at = |name: &str| around.path().join(name);
        write(&at("secret"), "s");
        write(&at("repository/.git/config"), "token");
        write(&at("repository/images/bake.yml"), "m");
        let link = |to: &str, from: &str| std::os::unix::fs::symlink(to, at(from)).unwrap();
        link("images/bake.yml", "repository/bake.yml");
        link("../secret", "repository/out.yml");
        link("/proc/self", "repository/process");
        link(".git/config", "repository/token.yml");
        link("repository/out.yml", "elsewhere.yml");
        link("repository", "checkout");
        let named = |name: &str| FileAccess::check_named(&at(name), &[]);
        for name in [
            "secret",
            "repository/bake.yml",
            "repository/images/bake.yml",
            "checkout/bake.yml",
            "none",
            "repository/none",
        ] {
            assert!(named(name).is_ok(), "{name}: {:?}", named(name));
        }
        for name in ["repository/out.yml", "repository/process/environ", "repository/token.yml", "checkout/out.yml"] {
            assert!(matches!(named(name), Err(FileError::Forbidden { .. })), "{name}");
        }
        assert!(FileAccess::check_named(&at("repository/out.yml"), &[at("secret")]).is_ok());
        // A link outside of a work tree is the user's own.
        assert!(named("elsewhere.yml").is_ok());
    }

    #[test]
    fn without_a_repository_the_folder_is_all() {
        let around = tempfile::tempdir().unwrap();
        write(&around.path().join("a/x"), "x");
        write(&around.path().join("b"), "b");
        let access = FileAccess::around(&around.path().join("a"), &[]);
        assert!(access.locate(&around.path().join("a/x")).is_ok());
        assert!(access.locate(&around.path().join("b")).is_err());
    }
}
