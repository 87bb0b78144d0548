//! Lists the local files at and below a path that a step names, in a fixed order.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::selection::{Choice, Exclude, Selection};

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

/// The files at and below a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalFiles {
    /// Those that are taken. Folders precede their content, and names are in byte order.
    pub files: Vec<LocalFile>,
    /// Git's own folders and files that are left out, since no pattern takes them by name; relative to the path.
    pub repositories: Vec<PathBuf>,
    /// Git's own folders and files that a pattern takes by name; relative to the path.
    pub restored: Vec<PathBuf>,
}

/// All files at and below `root` that are selected. The named path itself is always taken and may be a link, which is
/// followed; links below it stay links, unless `follow` is set.
///
/// # Errors
/// When a path can't be read, or is not a file, folder or link; the error names it.
pub fn local_files(root: &Path, selection: &Selection, follow: bool) -> io::Result<LocalFiles> {
    let metadata = fs::metadata(root).map_err(|error| about(root, &error))?;
    let found =
        LocalFiles { files: vec![local_file(root.to_owned(), PathBuf::new(), &metadata)?], ..LocalFiles::default() };
    let mut walk = Walk { selection, follow, open: Vec::new(), ignored: Vec::new(), found };
    if metadata.is_dir() {
        walk.folder(root, Path::new(""))?;
    }
    Ok(walk.found)
}

/// A walk through a folder.
struct Walk<'w> {
    selection: &'w Selection,
    /// True to follow links.
    follow: bool,
    /// The folders above the current one, to detect links that lead back to one of them.
    open: Vec<PathBuf>,
    /// The ignore files of the folders above the current one, with their folders.
    ignored: Vec<(PathBuf, Exclude)>,
    found: LocalFiles,
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
        let before = self.ignored.len();
        self.ignored.extend(self.selection.ignored(folder)?.map(|patterns| (relative.to_owned(), patterns)));
        let mut names = fs::read_dir(folder)
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>())
            .map_err(|error| about(folder, &error))?;
        names.sort();
        for name in names {
            let (path, relative) = (folder.join(&name), relative.join(&name));
            let metadata = if self.follow { fs::metadata(&path) } else { fs::symlink_metadata(&path) };
            let metadata = metadata.map_err(|error| about(&path, &error))?;
            // What is in a folder of Git that is taken belongs to it, such as the repositories of submodules.
            let inside = self.found.restored.last().is_some_and(|git| relative.starts_with(git));
            let git = !inside && self.selection.is_git(&path, metadata.is_dir());
            match self.selection.choose(&relative, metadata.is_dir(), git, &self.ignored) {
                Choice::Take => {}
                Choice::Restore => self.found.restored.push(relative.clone()),
                Choice::Skip => continue,
                Choice::Repository => {
                    self.found.repositories.push(relative);
                    continue;
                }
            }
            if metadata.is_dir() && self.selection.hides(&path) {
                continue;
            }
            self.found.files.push(local_file(path.clone(), relative.clone(), &metadata)?);
            if metadata.is_dir() {
                self.folder(&path, &relative)?;
            }
        }
        self.ignored.truncate(before);
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

        fn taken(&self, selection: &Selection) -> Vec<String> {
            let found = local_files(&self.0, selection, false).unwrap().files;
            found.iter().map(|file| file.relative.to_str().unwrap().to_owned()).collect()
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
        let names = ["", "deep", "deep/keep.map", "deep/top", "keep"];
        assert_eq!(folder.taken(&Selection::sent(&patterns).unwrap()), names);
        assert_eq!(folder.taken(&Selection::used(&patterns).unwrap()), names);
    }

    #[test]
    fn a_repository_stays_and_so_does_what_the_program_writes() {
        let folder = Folder::new();
        let own = ["bake-report.json", "i-0abc123def4567890.key", "deep/bake-report.json", "deep/i-0a.key"];
        for name in
            ["a", ".git/config", ".gitignore", "sub/.git", "i-like.key", "site.key", "deep/b"].into_iter().chain(own)
        {
            folder.write(name, "1");
        }
        let sent = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            let selection = Selection::sent(&patterns).unwrap();
            (folder.taken(&selection), local_files(&folder.0, &selection, true).unwrap().repositories)
        };
        let plain = ["", ".gitignore", "a", "deep", "deep/b", "i-like.key", "site.key", "sub"];
        let (taken, repositories) = sent(&[]);
        assert_eq!(taken, plain);
        assert_eq!(repositories, [Path::new(".git"), Path::new("sub/.git")]);
        // A pattern that mentions them decides.
        let whole = [
            "",
            ".git",
            ".git/config",
            ".gitignore",
            "a",
            "deep",
            "deep/b",
            "i-like.key",
            "site.key",
            "sub",
            "sub/.git",
        ];
        assert_eq!(sent(&["!.git", "!bake-report.json", "!*.key"]), (whole.map(str::to_owned).to_vec(), Vec::new()));
        assert_eq!(sent(&["!/.git"]).1, [Path::new("sub/.git")]);
        assert_eq!(sent(&["!/.git", "!sub/.git/"]).1, [Path::new("sub/.git")], "a file");
        // Others take it only by its name.
        for pattern in ["!*", "!.g*", "!.*", "!**/*git", "![.]git", "!/", "!**"] {
            assert_eq!(sent(&[pattern]), (plain.map(str::to_owned).to_vec(), repositories.clone()), "{pattern}");
        }
        assert_eq!(sent(&[".git"]), (plain.map(str::to_owned).to_vec(), Vec::new()));
        assert_eq!(folder.taken(&Selection::used(&[]).unwrap()).len(), 15);
    }

    /// Git's folder has any name with `--separate-git-dir`, and a bare repository too.
    #[test]
    fn a_folder_of_git_is_known_by_what_is_in_it() {
        let folder = Folder::new();
        for git in ["data", "deep/shop.git", "HEAD-only", ".git/modules/sub", "real", ".GIT"] {
            for name in ["HEAD", "config", "objects/info/packs", "refs/heads/main"] {
                if git != "HEAD-only" || name == "HEAD" {
                    folder.write(&format!("{git}/{name}"), "1");
                }
            }
        }
        std::os::unix::fs::symlink("real", folder.0.join("link")).unwrap();
        let found = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            local_files(&folder.0, &Selection::sent(&patterns).unwrap(), false).unwrap()
        };
        let plain = found(&[]);
        let names: Vec<_> = plain.files.iter().map(|file| file.relative.to_str().unwrap()).collect();
        assert_eq!(names, ["", "HEAD-only", "HEAD-only/HEAD", "deep", "link"]);
        assert_eq!(plain.repositories, [".GIT", ".git", "data", "deep/shop.git", "real"].map(PathBuf::from));
        let some = found(&["!.git", "!data", "!*"]);
        assert!(some.restored.is_empty(), "the last pattern decides");
        let some = found(&["!*", "!.git", "!data"]);
        assert_eq!(some.restored, [".git", "data"].map(PathBuf::from));
        assert_eq!(some.repositories, [".GIT", "deep/shop.git", "real"].map(PathBuf::from));
        let config = Path::new(".git/modules/sub/config");
        assert!(some.files.iter().any(|file| file.relative == config), "the repository of a submodule is in it");
    }

    #[test]
    fn ignore_files_apply_to_their_folders() {
        let folder = Folder::new();
        for name in
            ["a.log", "keep.log", "logs/x", "logs/y/z", "deep/a.log", "deep/b.tmp", "deep/top", "top", ".git/HEAD"]
        {
            folder.write(name, "1");
        }
        folder.write(".bakeignore", "# logs\n*.log\n!keep.log\n/top\n!.git\n");
        folder.write("logs/.bakeignore", "*\n");
        folder.write("deep/.bakeignore", "!a.log\n*.tmp\n");
        let sent = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            folder.taken(&Selection::sent(&patterns).unwrap())
        };
        let names = ["", ".git", ".git/HEAD", "deep", "deep/a.log", "deep/top", "keep.log"];
        assert_eq!(sent(&[]), names);
        // The step's own patterns come first.
        assert_eq!(sent(&["!/top", "keep.log", ".git", "deep", "/logs"]), ["", "top"]);
        assert_eq!(sent(&["!b.tmp"]).len(), names.len() + 1);
        assert!(folder.taken(&Selection::used(&[]).unwrap()).iter().any(|name| name == ".bakeignore"));

        folder.write("deep/.bakeignore", "fine\na[\n");
        let error = local_files(&folder.0, &Selection::sent(&[]).unwrap(), false).unwrap_err().to_string();
        assert!(error.contains("deep/.bakeignore:2: the pattern is not valid: "), "{error}");
        // What a link leads to is not shown in messages, so it is not read.
        fs::remove_file(folder.0.join("deep/.bakeignore")).unwrap();
        std::os::unix::fs::symlink("/dev/null", folder.0.join("deep/.bakeignore")).unwrap();
        assert!(sent(&[]).iter().any(|name| name == "deep/b.tmp"));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = Folder::new();
        let missing = folder.0.join("nothing");
        let none = Selection::sent(&[]).unwrap();
        let error = local_files(&missing, &none, false).unwrap_err().to_string();
        assert!(error.contains("nothing`: No such file"), "{error}");
        let _socket = std::os::unix::net::UnixListener::bind(folder.0.join("s")).unwrap();
        let error = local_files(&folder.0, &none, false).unwrap_err().to_string();
        assert!(error.ends_with("/s`: it is a socket, pipe or device, not a file or folder"), "{error}");
        let error = Exclude::new(&["a[".to_owned()]).unwrap_err().to_string();
        assert!(error.starts_with("could not read the pattern `a[`"), "{error}");
    }
}
