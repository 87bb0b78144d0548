//! Lists the local files at and below a path that a step names, in a fixed order.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Git's own folder in a work tree. A checkout may keep the token of a workflow in it (actions/checkout, `persist-credentials`).
pub const GIT_FOLDER: &str = ".git";

/// Patterns of paths to skip, in the syntax of `.gitignore`: `*.map` in any folder, `/top` only at the top, `cache/`
/// only a folder, `!keep.map` an exception to the patterns before it.
#[derive(Debug, Clone)]
pub struct Exclude(Gitignore);

impl Exclude {
    /// Parses the patterns.
    ///
    /// # Errors
    /// When a pattern is invalid; the error names it.
    pub fn new(patterns: &[String]) -> io::Result<Self> {
        let mut builder = GitignoreBuilder::new("");
        builder.allow_unclosed_class(false);
        for pattern in patterns {
            builder.add_line(None, pattern).map_err(|error| {
                io::Error::new(io::ErrorKind::InvalidInput, format!("could not read the pattern `{pattern}`: {error}"))
            })?;
        }
        builder.build().map(Self).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("could not read the patterns: {error}"))
        })
    }

    /// Whether a path, relative to the folder that is sent or fetched, is skipped.
    pub fn matches(&self, relative: &Path, folder: bool) -> bool {
        // The library panics on an absolute path; such a path is outside the folder, so no pattern applies.
        !relative.has_root() && self.0.matched_path_or_any_parents(relative, folder).is_ignore()
    }
}

/// Kind of a local path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file, with its size in bytes.
    File(u64),
    /// A folder.
    Folder,
    /// A symbolic link, with its target.
    Link(PathBuf),
}

/// A file, folder or link below a path that a step names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFile {
    /// Path of the file.
    pub path: PathBuf,
    /// Path relative to the named path; empty for the named path itself.
    pub relative: PathBuf,
    /// Kind of the file.
    pub kind: FileKind,
    /// Permission bits.
    pub mode: u32,
}

/// All files at and below `root` that are not skipped. Folders precede their content, and names are in byte order. The
/// named path itself may be a link, which is followed; links below it stay links, unless `follow` is set.
///
/// # Errors
/// When a path can't be read, or is not a file, folder or link; the error names it.
pub fn local_files(root: &Path, exclude: &Exclude, follow: bool) -> io::Result<Vec<LocalFile>> {
    let metadata = fs::metadata(root).map_err(|error| about(root, &error))?;
    let mut found = vec![local_file(root.to_owned(), PathBuf::new(), &metadata)?];
    if metadata.is_dir() {
        let mut walk = Walk { exclude, follow, open: Vec::new(), found: &mut found };
        walk.folder(root, Path::new(""))?;
    }
    Ok(found)
}

/// A walk through a folder.
struct Walk<'w> {
    exclude: &'w Exclude,
    /// True to follow links.
    follow: bool,
    /// The folders above the current one, to detect links that lead back to one of them.
    open: Vec<PathBuf>,
    found: &'w mut Vec<LocalFile>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, relative: &Path) -> io::Result<()> {
        if self.follow {
            let real = fs::canonicalize(folder).map_err(|error| about(folder, &error))?;
            if self.open.contains(&real) {
                let text = format!("read `{}`: a symbolic link leads back to its own folder", folder.display());
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
            self.open.push(real);
        }
        let mut names = fs::read_dir(folder)
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>())
            .map_err(|error| about(folder, &error))?;
        names.sort();
        for name in names {
            let (path, relative) = (folder.join(&name), relative.join(&name));
            let metadata = if self.follow { fs::metadata(&path) } else { fs::symlink_metadata(&path) };
            let metadata = metadata.map_err(|error| about(&path, &error))?;
            if self.exclude.matches(&relative, metadata.is_dir()) {
                continue;
            }
            self.found.push(local_file(path.clone(), relative.clone(), &metadata)?);
            if metadata.is_dir() {
                self.folder(&path, &relative)?;
            }
        }
        self.open.pop();
        Ok(())
    }
}

fn local_file(path: PathBuf, relative: PathBuf, metadata: &Metadata) -> io::Result<LocalFile> {
    let kind = if metadata.is_file() {
        FileKind::File(metadata.len())
    } else if metadata.is_dir() {
        FileKind::Folder
    } else if metadata.is_symlink() {
        FileKind::Link(fs::read_link(&path).map_err(|error| about(&path, &error))?)
    } else {
        let text = format!("could not read `{}`: it is a socket, pipe or device, not a file or folder", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    };
    Ok(LocalFile { path, relative, kind, mode: metadata.permissions().mode() & 0o7777 })
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("could not read `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A test folder, deleted when dropped.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("ami-bake-files-{}", uuid::Uuid::new_v4()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn write(&self, name: &str, content: &str) {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn patterns_are_gitignores() {
        let folder = Folder::new();
        for name in ["keep", "x.map", "deep/y.map", "deep/keep.map", "deep/cache/z", "top", "deep/top"] {
            folder.write(name, "1");
        }
        let patterns = ["*.map", "!keep.map", "cache/", "/top"].map(str::to_owned);
        let found = local_files(&folder.0, &Exclude::new(&patterns).unwrap(), false).unwrap();
        let names: Vec<_> = found.iter().map(|file| file.relative.to_str().unwrap()).collect();
        assert_eq!(names, ["", "deep", "deep/keep.map", "deep/top", "keep"]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = Folder::new();
        let missing = folder.0.join("nothing");
        let none = Exclude::new(&[]).unwrap();
        let error = local_files(&missing, &none, false).unwrap_err().to_string();
        assert!(error.contains("nothing`: No such file"), "{error}");
        let _socket = std::os::unix::net::UnixListener::bind(folder.0.join("s")).unwrap();
        let error = local_files(&folder.0, &none, false).unwrap_err().to_string();
        assert!(error.ends_with("/s`: it is a socket, pipe or device, not a file or folder"), "{error}");
        let error = Exclude::new(&["a[".to_owned()]).unwrap_err().to_string();
        assert!(error.starts_with("could not read the pattern `a[`"), "{error}");
    }
}
