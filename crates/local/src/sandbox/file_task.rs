//! Works on files that belong to the users of a sandbox. Without root these are other users than the one who runs the
//! bake, so it is done in a user namespace, by a separate process.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ami_bake_core::archive::{ArchiveError, ArchiveLimits};
use ami_bake_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::failure::Context;
use super::users;

/// A task, as the only argument of the hidden command line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FileTask {
    /// Removes files and folders. Missing ones are success.
    Remove { paths: Vec<PathBuf> },
    /// Unpacks a tarball, gzip or not, into an empty folder.
    Unpack { tarball: PathBuf, to: PathBuf },
}

/// The first two bytes of a gzip file (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Pause between two attempts, 5 ms.
const PAUSE: rustix::fs::Timespec = rustix::fs::Timespec { tv_sec: 0, tv_nsec: 5_000_000 };

/// Time limit for removing a folder: processes of a sandbox that was just killed may still write for a moment.
const REMOVE_LIMIT: Duration = Duration::from_secs(5);

pub(super) fn main(arguments: &[OsString]) -> Result<ExitCode> {
    let text = arguments.first().and_then(|text| text.to_str()).unwrap_or_default();
    let task: FileTask =
        serde_json::from_str(text).map_err(|error| Error::internal("could not read a file task").because(error))?;
    users::become_file_owner()?;
    match task {
        FileTask::Remove { paths } => paths.iter().try_for_each(|path| remove(path))?,
        FileTask::Unpack { tarball, to } => unpack(&tarball, &to)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn remove(path: &Path) -> Result<()> {
    let begin = Instant::now();
    loop {
        let gone = match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => std::fs::remove_file(path),
            // Root ignores the mode of a folder, but root of a user namespace does not if the file system belongs to
            // another namespace.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                open_up(path);
                std::fs::remove_dir_all(path)
            }
            other => other,
        };
        match gone {
            Err(error) if begin.elapsed() > REMOVE_LIMIT => {
                return Err(error).context(|| format!("remove {}", path.display()));
            }
            Err(_) => {
                // A blocking sleep: this process is single-threaded and does nothing else.
                let _ = rustix::thread::nanosleep(&PAUSE);
            }
            Ok(()) => return Ok(()),
        }
    }
}

/// Gives the owner access to every folder below `path`.
fn open_up(path: &Path) {
    let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700));
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}

fn unpack(tarball: &Path, to: &Path) -> Result<()> {
    let doing = || format!("unpack {}", tarball.display());
    std::fs::create_dir_all(to).context(doing)?;
    let mut file = BufReader::with_capacity(1 << 20, File::open(tarball).context(doing)?);
    let mut magic = [0; 2];
    let begin = file.read(&mut magic).context(doing)?;
    let stream = std::io::Cursor::new(magic).take(begin as u64).chain(file);
    let limits = limits(to).context(doing)?;
    let unpacked = if magic == GZIP {
        super::unpack::unpack(flate2::read::MultiGzDecoder::new(stream), to, Path::new(""), limits)
    } else {
        super::unpack::unpack(stream, to, Path::new(""), limits)
    };
    unpacked.map_err(|error| {
        let help = match &error {
            ArchiveError::Size { .. } => {
                "Free space on the disk of the image store, or set a store on another disk with --store."
            }
            ArchiveError::Refused(_) | ArchiveError::Files { .. } | ArchiveError::Depth { .. } => {
                "Check where the file comes from: no root file system looks like this."
            }
            ArchiveError::Broken(_) | ArchiveError::Local { .. } => {
                "A root file system is a tar file, plain or compressed with gzip."
            }
        };
        Error::build(doing()).because(error).help(help)
    })
}

/// Limits for unpacking: a tarball of some KiB can contain terabytes. It may have as many bytes as fit on the disk, and
/// more files and nested folders than any system.
fn limits(store: &Path) -> std::io::Result<ArchiveLimits> {
    let disk = rustix::fs::statvfs(store)?;
    Ok(ArchiveLimits { files: 10_000_000, size: disk.f_bavail.saturating_mul(disk.f_frsize), depth: 256 })
}
