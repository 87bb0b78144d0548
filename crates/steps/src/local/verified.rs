//! Reads a local file that must not have changed since the digest was computed.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use ami_bake_core::plan::FileHash;
use sha2::{Digest as _, Sha256};

use super::blocking::about;

/// Bytes per read, which are held back until the hash of the whole file is known.
const CHUNK: usize = 128 << 10;

/// Reads a file of a known size. The last chunk is only returned if the size is right and the content has the planned
/// hash, so that a changed file never arrives complete.
pub(crate) struct Verified<'a> {
    file: File,
    path: &'a Path,
    /// Number of bytes still to be read.
    left: u64,
    hash: Sha256,
    planned: Option<FileHash>,
    /// Bytes that were read but not returned yet.
    chunk: Vec<u8>,
    handed_out: usize,
}

impl<'a> Verified<'a> {
    /// Opens a file that had `size` bytes when it was listed. Without a planned hash only the size is compared.
    ///
    /// # Errors
    /// When the file can't be opened.
    pub(crate) fn open(path: &'a Path, size: u64, planned: Option<FileHash>) -> io::Result<Self> {
        let file = File::open(path).map_err(|error| about("read", path, &error))?;
        Ok(Self::of(file, path, size, planned))
    }

    /// Like [`Verified::open`], for a file that is already open.
    pub(crate) fn of(file: File, path: &'a Path, size: u64, planned: Option<FileHash>) -> Self {
        Self { file, path, left: size, hash: Sha256::new(), planned, chunk: Vec::new(), handed_out: 0 }
    }

    /// Reads the next chunk. After the last one, compares size and hash with the planned ones.
    fn fill(&mut self) -> io::Result<()> {
        self.handed_out = 0;
        self.chunk.resize(usize::try_from(self.left).unwrap_or(CHUNK).min(CHUNK), 0);
        let mut filled = 0;
        while filled < self.chunk.len() {
            match self.file.read(&mut self.chunk[filled..]) {
                Ok(0) => return Err(self.changed()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(about("read", self.path, &error)),
            }
        }
        self.left -= filled as u64;
        if self.planned.is_some() {
            self.hash.update(&self.chunk);
        }
        if self.left > 0 {
            return Ok(());
        }
        let longer = self.file.read(&mut [0])? > 0;
        let hash: FileHash = self.hash.finalize_reset().into();
        if longer || self.planned.is_some_and(|planned| planned != hash) {
            self.chunk.clear();
            return Err(self.changed());
        }
        Ok(())
    }

    fn changed(&self) -> io::Error {
        changed(&format!("`{}` changed while baking", self.path.display()))
    }
}

/// The error for a file that changed.
pub(crate) fn changed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what}: local files must not change during a bake"))
}

impl Read for Verified<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.handed_out == self.chunk.len() {
            if self.left == 0 {
                return Ok(0);
            }
            self.fill()?;
        }
        let read = (&self.chunk[self.handed_out..]).read(buffer)?;
        self.handed_out += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use ami_bake_core::plan::hash_file;

    use super::*;

    #[test]
    fn a_file_that_changed_is_never_handed_out_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let before = vec![b'a'; 3 * CHUNK + 10];
        std::fs::write(&path, &before).unwrap();
        let planned = Some(hash_file(&path).unwrap());
        let size = before.len() as u64;
        let read = |planned| {
            let mut content = Vec::new();
            let result = Verified::open(&path, size, planned).unwrap().read_to_end(&mut content);
            (result, content.len())
        };
        assert_eq!(read(planned).1, before.len());
        let mut after = before.clone();
        after[0] = b'b';
        for (content, expected) in [(&after[..], true), (&before[..CHUNK], true), (&[&before[..], b"b"].concat(), true)]
        {
            std::fs::write(&path, content).unwrap();
            let (result, length) = read(planned);
            let message = result.unwrap_err().to_string();
            assert!(message.contains("file` changed while baking: local files must not") == expected, "{message}");
            assert!(length < before.len());
        }
        std::fs::write(&path, &after).unwrap();
        assert_eq!(read(None).1, after.len(), "what was not planned is compared by its size alone");
    }

    #[test]
    fn an_empty_file_has_a_hash_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "").unwrap();
        let planned = Some(hash_file(&path).unwrap());
        let mut content = String::new();
        Verified::open(&path, 0, planned).unwrap().read_to_string(&mut content).unwrap();
        assert_eq!(content, "");
    }
}
