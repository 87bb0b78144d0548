//! Rewrites paths of the input relative to the manifest.

use std::path::{Component, Path, PathBuf};

use ami_bake_manifest::access::{FileAccess, FileError};

/// The folders that paths are relative to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Paths {
    /// The working directory of the import, which stands for the one that Packer runs in.
    pub(crate) working: PathBuf,
    /// The folder of the input.
    pub(crate) input: PathBuf,
    /// The folder that the manifest's paths are relative to.
    pub(crate) output: PathBuf,
    /// The files that the input may refer to.
    pub(crate) access: FileAccess,
}

/// A path for the manifest.
#[derive(Debug, Clone)]
pub(crate) struct FoundPath {
    /// The path in the manifest's syntax.
    pub(crate) text: String,
    /// The absolute path.
    pub(crate) full: PathBuf,
    /// Whether the path exists; false if it may not be read.
    pub(crate) exists: bool,
    /// Why the path may not be read: the problem, and what to do.
    pub(crate) forbidden: Option<(String, String)>,
}

/// Number of parent folders of the input that are searched for a file: templates are often run from the repository's
/// root.
const ABOVE: usize = 6;

impl Paths {
    /// Finds a file that the input refers to; a missing one is assumed to be where Packer would look first.
    pub(crate) fn find(&self, path: &str) -> FoundPath {
        let slash = if path.len() > 1 && path.ends_with('/') { "/" } else { "" };
        let named = Path::new(path);
        if named.is_absolute() {
            let full = normal(named);
            let forbidden = self.forbidden(path, &full);
            let exists = forbidden.is_none() && full.exists();
            // A path inside the template's folder stays valid when the folder moves.
            let near = full.starts_with(&self.output) || named.starts_with(&self.input);
            let text = if near { relative(&self.output, &full) } else { shown(&full) };
            return FoundPath { text: text + slash, full, exists, forbidden };
        }
        let below = self.input.starts_with(&self.working);
        let default = if below { &self.working } else { &self.input };
        // A path with `..` is relative to one folder only.
        let above = if path.starts_with("..") { 0 } else { ABOVE };
        let top = |folder: &&Path| !folder.join(".git").exists();
        let inside = self.input.ancestors().take_while(top).count();
        let above = self.input.ancestors().skip(1).take(above.min(inside));
        let bases = [default.as_path(), &self.input].into_iter().chain(above);
        let mut places: Vec<PathBuf> = bases.map(|base| normal(&base.join(named))).collect();
        places.retain(|full| self.forbidden(path, full).is_none());
        let full = places.iter().find(|full| full.exists());
        let exists = full.is_some();
        // A link that leads out of the template's folder is not a missing file.
        let beside = normal(&self.input.join(named));
        let forbidden = if exists { None } else { self.forbidden(path, &beside) };
        let missing = || if forbidden.is_some() { &beside } else { places.first().unwrap_or(&beside) };
        let full = full.unwrap_or_else(missing).clone();
        FoundPath { text: relative(&self.output, &full) + slash, full, exists, forbidden }
    }

    /// Why a path may not be read; `path` is its form in the input.
    fn forbidden(&self, path: &str, full: &Path) -> Option<(String, String)> {
        match self.access.locate(full) {
            Err(FileError::Forbidden { message, help }) => Some((message.replacen(&shown(full), path, 1), help)),
            _ => None,
        }
    }

    /// The prefix for a path that is only partly known, such as `../`.
    pub(crate) fn prefix(&self) -> String {
        let default = if self.input.starts_with(&self.working) { &self.working } else { &self.input };
        match relative(&self.output, default) {
            path if path == "." => String::new(),
            path => path + "/",
        }
    }
}

/// Resolves `.` and `..` without accessing the disk.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                if !out.pop() {
                    out.push("..");
                }
            }
            other => out.push(other),
        }
    }
    out
}

/// The relative path from a folder to a path; both are absolute and normalized.
pub(crate) fn relative(from: &Path, to: &Path) -> String {
    let mut above = from.components().peekable();
    let mut below = to.components().peekable();
    while let (Some(a), Some(b)) = (above.peek(), below.peek()) {
        if a != b {
            break;
        }
        above.next();
        below.next();
    }
    let mut out = PathBuf::new();
    above.for_each(|_| out.push(".."));
    below.for_each(|component| out.push(component));
    if out.as_os_str().is_empty() { ".".to_owned() } else { shown(&out) }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_output() {
        let paths = |output: &str| Paths {
            working: "/w".into(),
            input: "/w/packer".into(),
            output: output.into(),
            access: FileAccess::around(Path::new("/w"), &[]),
        };
        assert_eq!(paths("/w").find("a/b.sh").text, "a/b.sh");
        assert_eq!(paths("/w/out").find("./a/../b.sh").text, "../b.sh");
        assert_eq!(paths("/w/out").find("site/").text, "../site/");
        assert_eq!(paths("/w").find("/opt/x").text, "/opt/x");
        assert_eq!(paths("/w/out").prefix(), "../");
        assert_eq!(paths("/w").prefix(), "");
    }

    /// Templates are run from the repository's root as often as from their own folder.
    #[test]
    fn a_file_is_found_in_either_folder() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("packer/scripts")).unwrap();
        std::fs::write(root.join("packer/scripts/a.sh"), "").unwrap();
        std::fs::write(root.join("top.sh"), "").unwrap();
        let access = FileAccess::around(&root.join("packer"), &[root.to_owned()]);
        let paths = Paths { working: "/".into(), input: root.join("packer"), output: root.to_owned(), access };
        assert_eq!(paths.find("scripts/a.sh").text, "packer/scripts/a.sh");
        assert_eq!(paths.find("top.sh").text, "top.sh");
        assert!(!paths.find("none.sh").exists);
    }
}
