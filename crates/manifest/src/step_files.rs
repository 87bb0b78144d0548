//! Adds the local files of a step to the digest of its image.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::access::{FileAccess, FileError};
use ami_bake_core::plan::{
    Digester, FileKind, GIT_FOLDER, InputTree, Inputs, LocalFiles, PartKind, Selection, Step, StepAction, hash_file,
    local_files,
};
use ami_bake_core::{Error, Result, Route};

/// Files whose changes are irrelevant.
const NOISE: [&str; 3] = [".git", "__pycache__", "*.pyc"];

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
        let hash = self.digester.file("file", path).map_err(|error| self.failed((error, path.to_owned())))?;
        self.sent.0.insert((path.to_owned(), Vec::new(), false), BTreeMap::from([(PathBuf::new(), hash)]));
        Ok(())
    }

    /// Adds a file or folder that is sent, without the files that `exclude` matches. Its name counts, too, unless only
    /// its contents are sent. With `follow`, links count as their targets.
    ///
    /// # Errors
    /// When a file can't be read or may not be sent, or a pattern is not valid.
    pub(crate) fn upload(&mut self, from: &Path, contents: bool, exclude: &[String], follow: bool) -> Result<()> {
        let selection = Selection::sent(exclude).map_err(|error| {
            Error::manifest("could not read the `exclude` patterns").because(error).at(self.step.route.key("exclude"))
        })?;
        let found = self.listed(from, &selection, follow)?;
        if !contents {
            self.digester.part("name", from.file_name().unwrap_or_default().as_encoded_bytes());
        }
        let link = if follow { None } else { std::fs::read_link(from).ok() };
        let Some(target) = link else {
            let found = found.map_err(|error| self.failed((error, from.to_owned())))?;
            let hashes = self.tree(found)?;
            self.sent.0.insert((from.to_path_buf(), exclude.to_vec(), follow), hashes);
            return Ok(());
        };
        // A link counts as one, although what it leads to is sent.
        self.digester.begin(PartKind::File, from.display().to_string());
        self.digester.part("path", "");
        self.digester.part("link", target.as_os_str().as_encoded_bytes());
        self.send(from, exclude, found, &InputTree::new())
    }

    /// Adds a file or folder that is used on this computer, without files that change by themselves. A link to it
    /// counts as its target.
    ///
    /// # Errors
    /// When a file can't be read.
    pub(crate) fn used(&mut self, path: &Path) -> Result<InputTree> {
        let real = std::fs::canonicalize(path).map_err(|error| self.failed((error, path.to_owned())))?;
        self.digester.part("name", path.file_name().unwrap_or_default().as_encoded_bytes());
        let found = Selection::used(&NOISE.map(str::to_owned)).and_then(|noise| local_files(&real, &noise, false));
        self.tree(found.map_err(|error| self.failed((error, real)))?)
    }

    /// Adds a file or folder that is both used on this computer and sent.
    ///
    /// # Errors
    /// When a file can't be read or may not be sent.
    pub(crate) fn used_and_sent(&mut self, path: &Path) -> Result<()> {
        let exclude = [GIT_FOLDER.to_owned()];
        let selection = Selection::sent(&exclude).map_err(|error| self.failed((error, path.to_owned())))?;
        let found = self.listed(path, &selection, false)?;
        let known = self.used(path)?;
        self.send(path, &exclude, found, &known)
    }

    /// Notes the hashes of all files that a step sends; those that are not known are read. Files that can't be listed
    /// fail when they are sent.
    fn send(
        &mut self,
        from: &Path,
        exclude: &[String],
        found: io::Result<LocalFiles>,
        known: &InputTree,
    ) -> Result<()> {
        let Ok(found) = found else { return Ok(()) };
        let mut sent = InputTree::new();
        for file in found.files.into_iter().filter(|file| matches!(file.kind, FileKind::File(_))) {
            let hash = match known.get(&file.relative) {
                Some(hash) => *hash,
                None => hash_file(&file.path).map_err(|error| self.failed((error, file.path.clone())))?,
            };
            sent.insert(file.relative, hash);
        }
        self.sent.0.insert((from.to_path_buf(), exclude.to_vec(), false), sent);
        Ok(())
    }

    /// What is sent, if it may be.
    fn listed(&self, from: &Path, selection: &Selection, follow: bool) -> Result<io::Result<LocalFiles>> {
        let found = local_files(from, selection, follow);
        match found.as_ref().map(|found| confined(found, &self.step.action, self.access)) {
            Ok(Err(FileError::Forbidden { message, help })) => Err(Error::manifest(message).help(help).at(self.key())),
            _ => Ok(found),
        }
    }

    /// Adds names, kinds, permission bits and content, in the order of names. Answers the hashes of the files.
    fn tree(&mut self, found: LocalFiles) -> Result<InputTree> {
        let mut hashes = InputTree::new();
        for file in found.files {
            self.digester.begin(PartKind::File, file.path.display().to_string());
            self.digester.part("path", file.relative.as_os_str().as_encoded_bytes());
            if let FileKind::Link(target) = &file.kind {
                self.digester.part("link", target.as_os_str().as_encoded_bytes());
                continue;
            }
            self.digester.part("mode", file.mode.to_be_bytes());
            if matches!(file.kind, FileKind::File(_)) {
                let hash = self.digester.file("file", &file.path);
                hashes.insert(file.relative, hash.map_err(|error| self.failed((error, file.path.clone())))?);
            }
        }
        Ok(hashes)
    }

    fn key(&self) -> Route {
        self.step.route.key(self.step.action.name())
    }

    fn failed(&self, (error, path): Failed) -> Error {
        Error::manifest(format!("could not read {}", path.display())).because(error).at(self.key())
    }
}

/// Checks what a step sends: no link that is followed leads out, and what is Git's own may be taken. Links that are sent
/// as links have no content.
///
/// # Errors
/// When it may not be sent.
pub(crate) fn confined(found: &LocalFiles, action: &StepAction, access: &FileAccess) -> Result<(), FileError> {
    let mut taken: Vec<(&Path, PathBuf)> = Vec::new();
    for file in found.files.iter().filter(|file| !matches!(file.kind, FileKind::Link(_))) {
        if found.restored.contains(&file.relative) {
            taken.push((&file.relative, access.locate_git(&file.path)?));
            continue;
        }
        if file.kind != FileKind::Folder && !file.path.is_symlink() {
            continue;
        }
        let inside = |(git, real): &(&Path, PathBuf)| {
            file.relative.starts_with(git) && std::fs::canonicalize(&file.path).is_ok_and(|path| path.starts_with(real))
        };
        if taken.iter().any(inside) {
            continue;
        }
        access.locate(&file.path).map_err(|error| match (error, action) {
            (FileError::Forbidden { message, .. }, StepAction::Upload(_)) => {
                FileError::Forbidden { message, help: "Leave it out: list it under `exclude`.".to_owned() }
            }
            (error, _) => error,
        })?;
    }
    Ok(())
}

/// The error and path of a file that could not be read.
type Failed = (io::Error, PathBuf);
