//! The local files that steps send to machines, as they were when the digest was computed.

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

/// The regular files at and below one path that a step names: by their path below it, which is empty for the path itself.
pub type InputTree = BTreeMap<PathBuf, FileHash>;

/// A path that a step names, the patterns that it excludes, and whether it follows links.
type InputKey = (PathBuf, Vec<String>, bool);

/// The local files of an image's steps. What a step sends must still have these hashes. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs(Arc<BTreeMap<InputKey, InputTree>>);

impl Inputs {
    /// The files at and below `path` without those that `exclude` leaves out, with what links point to when `follow` is set. None where they were not read, such as for
    /// a path that depends on the image's version.
    pub fn tree(&self, path: &Path, exclude: &[String], follow: bool) -> Option<&InputTree> {
        self.0.get(&(path.to_owned(), exclude.to_vec(), follow))
    }

    /// The hash of a single file. None where it was not read.
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

/// Hands a file's content to `each` in chunks, and returns how many bytes it had.
///
/// # Errors
/// When it can't be read.
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

/// The hash of a file's content. Blocks, and holds only a chunk of it in memory.
///
/// # Errors
/// When it can't be read.
pub fn hash_file(path: &Path) -> io::Result<FileHash> {
    let mut hash = Sha256::new();
    in_chunks(&mut File::open(path)?, |chunk| hash.update(chunk))?;
    Ok(hash.finalize().into())
}
