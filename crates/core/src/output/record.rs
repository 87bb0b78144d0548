//! Writes the whole output of each step to files.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lines::{Line, LineSplitter};
use super::sink::Stream;
use crate::error::{Error, Result};
use crate::mask::Masker;
use crate::own_files::IGNORE_FILE;

/// Maximum size of all logs in bytes: a machine must not fill the disk of the computer that runs ami-bake.
const LIMIT: u64 = 1_000_000_000;

/// Bytes per write.
const BUFFER: usize = 64 << 10;

/// A folder for the output of steps, with one file per attempt.
pub struct LogFolder {
    folder: PathBuf,
    created: Box<dyn Fn(&Path) + Send + Sync>,
}

impl LogFolder {
    /// Creates the folder. `created` is called with its path, and with the path of each file in it.
    ///
    /// # Errors
    /// When the folder can't be created.
    pub fn create(folder: PathBuf, created: impl Fn(&Path) + Send + Sync + 'static) -> Result<Self> {
        let is_new = !folder.is_dir();
        std::fs::create_dir_all(&folder).map_err(|error| {
            Error::usage(format!("could not create the folder {} for logs", folder.display())).because(error)
        })?;
        if is_new {
            created(&folder);
            // An upload of the folder around it leaves the logs out, in this run and in later ones. Without this file the bake
            // goes on as well.
            let marker = folder.join(IGNORE_FILE);
            if std::fs::write(&marker, "*\n").is_ok() {
                created(&marker);
            }
        }
        Ok(Self { folder, created: Box::new(created) })
    }

    /// Begins the log of an attempt. A file of the same name from an earlier run is replaced.
    pub fn begin(&self, name: &str, masker: &Arc<Masker>) -> StepLog {
        let path = self.folder.join(name);
        let mut log = StepLog {
            splitters: [LineSplitter::new(Arc::clone(masker)), LineSplitter::new(Arc::clone(masker))],
            file: Err(ErrorKind::NotConnected.into()),
            size: 0,
            open: None,
            path,
        };
        // A link is removed, never followed.
        log.file = match std::fs::remove_file(&log.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => OpenOptions::new().write(true).create_new(true).open(&log.path),
        }
        .map(|file| BufWriter::with_capacity(BUFFER, file));
        if log.file.is_ok() {
            (self.created)(&log.path);
        }
        log
    }
}

/// The log file of an attempt of a step: its whole output, sanitized and masked.
pub struct StepLog {
    path: PathBuf,
    splitters: [LineSplitter; 2],
    /// The file, or the error that ended the log. An error never ends the step.
    file: std::io::Result<BufWriter<File>>,
    size: u64,
    /// The stream whose last line has no line end yet.
    open: Option<Stream>,
}

impl StepLog {
    /// Writes the next bytes of one stream.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) {
        if self.file.is_ok() {
            let Self { splitters, file, size, open, .. } = self;
            splitters[stream as usize].feed(bytes, &mut |line| append(file, size, open, stream, &line));
        }
    }

    /// Ends the log.
    ///
    /// # Errors
    /// When the log is incomplete.
    pub fn finish(mut self) -> Result<()> {
        let Self { splitters, file, size, open, .. } = &mut self;
        for stream in Stream::ALL {
            splitters[stream as usize].finish(&mut |line| append(file, size, open, stream, &line));
        }
        let incomplete = format!("the log {} is incomplete", self.path.display());
        self.file.and_then(|mut file| file.flush()).map_err(|error| {
            let own = error.kind() == ErrorKind::Other;
            let failed = Error::internal(incomplete).because(error);
            if own { failed } else { failed.help("Free some disk space, or use another folder with `--log-dir`.") }
        })
    }
}

fn append(
    file: &mut std::io::Result<BufWriter<File>>,
    size: &mut u64,
    open: &mut Option<Stream>,
    stream: Stream,
    line: &Line,
) -> bool {
    let Ok(to) = file else { return false };
    let between: &[u8] = if open.is_some_and(|open| open != stream) { b"\n" } else { b"" };
    let end: &[u8] = if line.cut { b"" } else { b"\n" };
    *open = line.cut.then_some(stream);
    *size += (between.len() + line.text.len() + end.len()) as u64;
    let written = if *size > LIMIT {
        let limit = std::io::Error::other(format!("it would be larger than {} GB", LIMIT / 1_000_000_000));
        to.flush().and(Err(limit))
    } else {
        to.write_all(between).and_then(|()| to.write_all(line.text.as_bytes())).and_then(|()| to.write_all(end))
    };
    match written {
        Ok(()) => true,
        Err(error) => {
            *file = Err(error);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use ami_bake_testkit::test_dir::TestDir;

    use super::*;

    #[test]
    fn everything_is_in_the_file_masked_and_whole() {
        let folder = TestDir::new();
        let precious = folder.path("precious");
        std::fs::write(&precious, "precious").unwrap();
        std::os::unix::fs::symlink(&precious, folder.path("web-build-1.log")).unwrap();
        let logs = LogFolder::create(folder.folder().to_owned(), |_| {}).unwrap();
        let masker = Arc::new(Masker::default());
        masker.add("walnut-tree");
        let mut log = logs.begin("web-build-1.log", &masker);
        let long = "x".repeat(50_000);
        for (stream, text) in [
            (Stream::Stdout, "one\nwal"),
            (Stream::Stderr, "10%\r20%\r"),
            (Stream::Stdout, "nut-tree\n"),
            (Stream::Stdout, &long),
            (Stream::Stdout, "\n"),
            (Stream::Stderr, "\u{1b}[31mdone"),
        ] {
            log.write(stream, text.as_bytes());
        }
        log.finish().unwrap();
        let text = std::fs::read_to_string(folder.path("web-build-1.log")).unwrap();
        assert_eq!(text, format!("one\n***\n{long}\ndone\n"));
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");
    }

    #[test]
    fn a_full_disk_ends_the_log_and_says_why() {
        let folder = TestDir::new();
        let logs = LogFolder::create(folder.folder().to_owned(), |_| {}).unwrap();
        let mut log = logs.begin("full.log", &Arc::default());
        log.file = OpenOptions::new().write(true).open("/dev/full").map(|file| BufWriter::with_capacity(BUFFER, file));
        for _ in 0..10 {
            log.write(Stream::Stdout, "line\n".repeat(10_000).as_bytes());
        }
        let error = log.finish().unwrap_err();
        assert!(error.message().ends_with("full.log is incomplete"), "{error}");
        assert!(error.causes()[0].contains("No space left"), "{error:?}");

        let mut log = logs.begin("long.log", &Arc::default());
        log.size = LIMIT;
        log.write(Stream::Stdout, b"line\n");
        assert!(log.finish().unwrap_err().causes()[0].contains("larger than 1 GB"));
    }

    #[test]
    fn a_folder_that_cannot_be_created_is_an_error() {
        let folder = TestDir::new();
        std::fs::write(folder.path("file"), "").unwrap();
        let error = LogFolder::create(folder.path("file/logs"), |_| {}).map(drop).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Usage);
    }
}
