//! Rewrites paths of the input relative to the manifest.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

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
    /// The folder that Packer is run in, where the files that the input names are in that folder alone.
    pub(crate) run_in: Option<PathBuf>,
    /// The folders of files that are in one of the folders alone.
    pub(crate) evidence: Arc<Mutex<BTreeSet<PathBuf>>>,
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
        let default = self.default_folder();
        // A path with `..` is relative to one folder only.
        let above = if path.starts_with("..") { 0 } else { ABOVE };
        let top = |folder: &&Path| !folder.join(".git").exists();
        let inside = self.input.ancestors().take_while(top).count();
        let above = self.input.ancestors().skip(1).take(above.min(inside));
        let bases: Vec<&Path> = [default, &self.input].into_iter().chain(above).collect();
        let mut places: Vec<PathBuf> = bases.iter().map(|base| normal(&base.join(named))).collect();
        self.note(&bases, &places);
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

    /// The folder that relative paths are most likely relative to.
    fn default_folder(&self) -> &Path {
        match &self.run_in {
            Some(folder) => folder,
            None if self.input.starts_with(&self.working) => &self.working,
            None => &self.input,
        }
    }

    /// Remembers the folder of a file that is in one of the folders alone.
    fn note(&self, bases: &[&Path], places: &[PathBuf]) {
        let found: BTreeSet<&PathBuf> = places.iter().filter(|full| full.exists()).collect();
        let first = found.first().and_then(|full| places.iter().position(|place| place == *full));
        if let (1, Some(at)) = (found.len(), first) {
            self.evidence.lock().unwrap_or_else(PoisonError::into_inner).insert(bases[at].to_owned());
        }
    }

    /// These paths with the folder that Packer must have been run in, since it has all the files that are in one folder
    /// alone; none when it is the folder that was assumed.
    pub(crate) fn corrected(&self) -> Option<Self> {
        let evidence = std::mem::take(&mut *self.evidence.lock().unwrap_or_else(PoisonError::into_inner));
        let [folder] = <[PathBuf; 1]>::try_from(Vec::from_iter(evidence)).ok()?;
        (folder != self.default_folder()).then(|| Self { run_in: Some(folder), ..self.clone() })
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
        match relative(&self.output, self.default_folder()) {
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
            ..Paths::default()
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
        let input = root.join("packer");
        let paths = Paths { working: "/".into(), input, output: root.to_owned(), access, ..Paths::default() };
        assert_eq!(paths.find("scripts/a.sh").text, "packer/scripts/a.sh");
        assert_eq!(paths.find("top.sh").text, "top.sh");
        assert!(!paths.find("none.sh").exists);
    }

    /// What is in both folders is in that of the files that are in one alone.
    #[test]
    fn the_folder_that_packer_is_run_in_is_that_of_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("packer/scripts")).unwrap();
        std::fs::write(root.join("packer/scripts/a.sh"), "").unwrap();
        let access = FileAccess::around(&root.join("packer"), &[root.to_owned()]);
        let paths = |working: &str| Paths {
            working: root.join(working),
            input: root.join("packer"),
            output: root.join("packer"),
            access: access.clone(),
            ..Paths::default()
        };
        let from_below = paths("packer");
        assert_eq!(
            (from_below.find(".").text, from_below.find("packer/scripts/a.sh").text),
            (".".into(), "scripts/a.sh".into())
        );
        let corrected = from_below.corrected().unwrap();
        assert_eq!((corrected.find(".").text, corrected.find("packer/scripts").text), ("..".into(), "scripts".into()));
        assert!(corrected.corrected().is_none());
        let from_above = paths("");
        assert_eq!(
            (from_above.find(".").text, from_above.find("scripts/a.sh").text),
            ("..".into(), "scripts/a.sh".into())
        );
        assert_eq!(from_above.corrected().unwrap().find(".").text, ".");
        let both = paths("packer");
        both.find("packer/scripts");
        both.find("scripts");
        assert!(both.corrected().is_none(), "the files contradict each other");
    }
}
