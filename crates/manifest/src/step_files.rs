//! Adds the local files of a step to the digest of its image.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::access::{FileAccess, FileError};
use ami_bake_core::plan::{
    Digester, Exclude, FileKind, GIT_FOLDER, InputTree, Inputs, LocalFile, PartKind, Step, StepAction, hash_file,
    local_files,
};
use ami_bake_core::{Error, Result, Route};
use globset::{Glob, GlobSet, GlobSetBuilder};

/// Globs of files whose changes are irrelevant.
const NOISE: [&str; 3] = ["**/.git", "**/__pycache__", "**/*.pyc"];

/// The hashes of all files that steps send, by path, excluded patterns, and whether links are followed.
#[derive(Debug, Default)]
pub(crate) struct SentFiles(BTreeMap<(PathBuf, Vec<String>, bool), InputTree>);

impl SentFiles {
    /// The hashes as the inputs of the plan's steps.
    pub(crate) fn into_inputs(self) -> Inputs {
        self.0.into_iter().collect()
    }
}

/// Adds a step's local files to the digest of its image, and records the hashes of those that the step sends. Each file
/// is opened once.
pub(crate) struct FileDigest<'a> {
    /// The step, for its environment and for errors.
    pub(crate) step: &'a Step,
    /// The files that the manifest may refer to.
    pub(crate) access: &'a FileAccess,
    /// The digest of the image.
    pub(crate) digester: &'a mut Digester,
    /// The files that the image's steps send.
    pub(crate) sent: &'a mut SentFiles,
}

impl FileDigest<'_> {
    /// Adds a single file that is sent.
    ///
    /// # Errors
    /// When the file can't be read.
    pub(crate) fn file(&mut self, path: &Path) -> Result<()> {
        self.digester.begin(PartKind::File, path.display().to_string());
        let hash = self.digester.file("file", path).map_err(|error| self.failed((error, path.to_owned())))?;
        self.sent.0.insert((path.to_owned(), Vec::new(), false), BTreeMap::from([(PathBuf::new(), hash)]));
        Ok(())
    }

    /// Adds a file or folder that is sent, without the files that `exclude` matches. Its name counts, too, unless only
    /// its contents are sent. With `follow`, links count as their targets.
    ///
    /// # Errors
    /// When a file can't be read, or a pattern is not a glob.
    pub(crate) fn upload(&mut self, from: &Path, contents: bool, exclude: &[String], follow: bool) -> Result<()> {
        let globs = globs(exclude).map_err(|error| {
            Error::manifest("could not read the `exclude` globs").because(error).at(self.step.route.key("exclude"))
        })?;
        let files = self.listed(from, exclude, follow)?;
        if !contents {
            self.digester.part("name", from.file_name().unwrap_or_default().as_encoded_bytes());
        }
        let mut hashes = InputTree::new();
        let tree = if follow { followed } else { tree };
        tree(self.digester, from, Path::new(""), &globs, &mut hashes).map_err(|failed| self.failed(failed))?;
        self.send(from, exclude, follow, files, &hashes)
    }

    /// Adds a file or folder that is used on this computer, without files that change by themselves. A link to it
    /// counts as its target.
    ///
    /// # Errors
    /// When a file can't be read.
    pub(crate) fn used(&mut self, path: &Path) -> Result<InputTree> {
        let noise = globs(&NOISE.map(str::to_owned)).unwrap_or_default();
        let real = std::fs::canonicalize(path).map_err(|error| self.failed((error, path.to_owned())))?;
        self.digester.part("name", path.file_name().unwrap_or_default().as_encoded_bytes());
        let mut hashes = InputTree::new();
        tree(self.digester, &real, Path::new(""), &noise, &mut hashes).map_err(|failed| self.failed(failed))?;
        Ok(hashes)
    }

    /// Adds a file or folder that is both used on this computer and sent.
    ///
    /// # Errors
    /// When a file can't be read.
    pub(crate) fn used_and_sent(&mut self, path: &Path) -> Result<()> {
        let exclude = [GIT_FOLDER.to_owned()];
        let files = self.listed(path, &exclude, false)?;
        let hashes = self.used(path)?;
        self.send(path, &exclude, false, files, &hashes)
    }

    /// Notes the hashes of all files that a step sends. `exclude` has the patterns of `.gitignore` when files are sent and
    /// globs in the digest, so that some may not be in the digest; those are read here.
    fn send(
        &mut self,
        from: &Path,
        exclude: &[String],
        follow: bool,
        files: Option<Vec<LocalFile>>,
        known: &InputTree,
    ) -> Result<()> {
        let Some(files) = files else { return Ok(()) };
        let mut sent = InputTree::new();
        for file in files.into_iter().filter(|file| matches!(file.kind, FileKind::File(_))) {
            let hash = match known.get(&file.relative) {
                Some(hash) => *hash,
                None => hash_file(&file.path).map_err(|error| self.failed((error, file.path.clone())))?,
            };
            sent.insert(file.relative, hash);
        }
        self.sent.0.insert((from.to_path_buf(), exclude.to_vec(), follow), sent);
        Ok(())
    }

    /// What is sent; none when it can't be listed, which fails when it is sent. No folder in it is Git's own, and no link that is
    /// followed leads out. Links that are sent as links have no content.
    fn listed(&self, from: &Path, exclude: &[String], follow: bool) -> Result<Option<Vec<LocalFile>>> {
        let Ok(files) = Exclude::new(exclude).and_then(|exclude| local_files(from, &exclude, follow)) else {
            return Ok(None);
        };
        let decides = |file: &&LocalFile| file.kind == FileKind::Folder || file.path.is_symlink();
        let followed = files.iter().filter(|file| !matches!(file.kind, FileKind::Link(_)));
        for file in followed.filter(decides) {
            if let Err(FileError::Forbidden { message, help }) = self.access.locate(&file.path) {
                let help = match &self.step.action {
                    StepAction::Upload(_) => "Leave it out: list it under `exclude`.".to_owned(),
                    _ => help,
                };
                return Err(Error::manifest(message).help(help).at(self.key()));
            }
        }
        Ok(Some(files))
    }

    fn key(&self) -> Route {
        self.step.route.key(self.step.action.name())
    }

    fn failed(&self, (error, path): Failed) -> Error {
        Error::manifest(format!("could not read {}", path.display())).because(error).at(self.key())
    }
}

/// The globs of an `exclude` list.
///
/// # Errors
/// When a pattern is not a glob.
pub(crate) fn globs(patterns: &[String]) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(Glob::new(pattern)?);
    }
    set.build()
}

/// The error and path of a file that could not be read.
type Failed = (io::Error, PathBuf);

/// Adds names, kinds, permission bits and content, in the order of names.
fn tree(
    digester: &mut Digester,
    path: &Path,
    name: &Path,
    exclude: &GlobSet,
    hashes: &mut InputTree,
) -> Result<(), Failed> {
    let at = |error| (error, path.to_path_buf());
    let meta = std::fs::symlink_metadata(path).map_err(at)?;
    digester.begin(PartKind::File, path.display().to_string());
    digester.part("path", name.as_os_str().as_encoded_bytes());
    if meta.is_symlink() {
        let target = std::fs::read_link(path).map_err(at)?;
        digester.part("link", target.as_os_str().as_encoded_bytes());
        return Ok(());
    }
    digester.part("mode", mode(&meta));
    if meta.is_dir() {
        let mut entries: Vec<_> = std::fs::read_dir(path).and_then(Iterator::collect::<Result<_, _>>).map_err(at)?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let name = name.join(entry.file_name());
            if !exclude.is_match(&name) {
                tree(digester, &entry.path(), &name, exclude, hashes)?;
            }
        }
        return Ok(());
    }
    // Reading a pipe or a device may never end.
    if !meta.is_file() {
        return Err(at(io::Error::other("it is a socket, pipe or device, not a file or folder")));
    }
    hashes.insert(name.to_path_buf(), digester.file("file", path).map_err(at)?);
    Ok(())
}

/// Like [`tree`], with the targets of links in place of the links.
fn followed(
    digester: &mut Digester,
    path: &Path,
    _: &Path,
    exclude: &GlobSet,
    hashes: &mut InputTree,
) -> Result<(), Failed> {
    let none = Exclude::new(&[]).map_err(|error| (io::Error::other(error), path.to_path_buf()))?;
    let files = local_files(path, &none, true).map_err(|error| (error, path.to_path_buf()))?;
    let excluded = |name: &Path| name.ancestors().any(|part| !part.as_os_str().is_empty() && exclude.is_match(part));
    for file in files.into_iter().filter(|file| !excluded(&file.relative)) {
        digester.begin(PartKind::File, path.join(&file.relative).display().to_string());
        digester.part("path", file.relative.as_os_str().as_encoded_bytes());
        digester.part("mode", file.mode.to_be_bytes());
        if matches!(file.kind, FileKind::File(_)) {
            let hash = digester.file("file", &file.path).map_err(|error| (error, file.path.clone()))?;
            hashes.insert(file.relative, hash);
        }
    }
    Ok(())
}

fn mode(meta: &std::fs::Metadata) -> [u8; 4] {
    use std::os::unix::fs::PermissionsExt as _;
    (meta.permissions().mode() & 0o7777).to_be_bytes()
}
