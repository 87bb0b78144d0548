//! The local files that steps send to machines, with their hashes at the time the digest was computed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// SHA-256 of a file's content.
pub type FileHash = [u8; 32];

/// Size of the chunks in which files are read.
const CHUNK: usize = 128 << 10;

/// The regular files at and below one path, by their path relative to it, which is empty for the path itself.
pub type InputTree = BTreeMap<PathBuf, FileHash>;

/// A path, the patterns that are excluded, and whether links are followed.
type InputKey = (PathBuf, Vec<String>, bool);

/// The local files of an image's steps. Files that a step sends must still have these hashes. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs(Arc<BTreeMap<InputKey, InputTree>>);

impl Inputs {
    /// The files at and below `path`, except those that match `exclude`; links are followed if `follow` is set. `None`
    /// if they were not read, such as for a path that depends on the image's version.
    pub fn tree(&self, path: &Path, exclude: &[String], follow: bool) -> Option<&InputTree> {
        self.0.get(&(path.to_owned(), exclude.to_vec(), follow))
    }

    /// The hash of a single file; `None` if the file was not read.
    pub fn file(&self, path: &Path) -> Option<FileHash> {
        self.tree(path, &[], false)?.get(Path::new("")).copied()
    }

    /// True when a single file had this content, or was not read.
    pub fn has(&self, path: &Path, content: &[u8]) -> bool {
        self.file(path).is_none_or(|hash| hash == FileHash::from(Sha256::digest(content)))
    }
}

impl FromIterator<(InputKey, InputTree)> for Inputs {
    fn from_iter<T: IntoIterator<Item = (InputKey, InputTree)>>(trees: T) -> Self {
        Self(Arc::new(trees.into_iter().collect()))
    }
}

/// Passes a file's content to `each` in chunks, and returns its length in bytes.
///
/// # Errors
/// When the file can't be read.
pub(super) fn in_chunks(file: &mut File, mut each: impl FnMut(&[u8])) -> io::Result<u64> {
    let mut buffer = vec![0; CHUNK];
    let mut count = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(count),
            Ok(read) => {
                each(&buffer[..read]);
                count += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The hash of a file's content. Blocks, and reads the file in chunks.
///
/// # Errors
/// When the file can't be read.
pub fn hash_file(path: &Path) -> io::Result<FileHash> {
    let mut hash = Sha256::new();
    in_chunks(&mut File::open(path)?, |chunk| hash.update(chunk))?;
    Ok(hash.finalize().into())
}
