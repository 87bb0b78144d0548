//! Work on files that belong to a sandbox's users. Without root those are other users than the one who bakes, so that
//! it has to be done in a user namespace, by a process of its own.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ami_bake_core::{Error, Result};
use rustix::thread::UnshareFlags;
use serde::{Deserialize, Serialize};

use super::entry::Context;
use super::{transfer, users};

/// What is to be done, as the one argument of the hidden command line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Work {
    /// Removes files and trees. Not being there is success.
    Remove { paths: Vec<PathBuf> },
    /// Unpacks a tarball, gzip or not, into an empty folder.
    Unpack { tarball: PathBuf, to: PathBuf },
    /// Exports an image by the plan in a file.
    Export { plan: PathBuf },
}

/// The first two bytes of a gzip file (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The pause between two attempts, 5 ms.
const PAUSE: rustix::fs::Timespec = rustix::fs::Timespec { tv_sec: 0, tv_nsec: 5_000_000 };

/// A sandbox that was killed this moment may write for another instant.
const REMOVE_LIMIT: Duration = Duration::from_secs(5);

pub(super) fn main(arguments: &[OsString]) -> Result<ExitCode> {
    let text = arguments.first().and_then(|text| text.to_str()).unwrap_or_default();
    let work: Work =
        serde_json::from_str(text).map_err(|error| Error::internal("read what to do with files").because(error))?;
    if users::needed() {
        users::unshare_with(UnshareFlags::empty())?;
    }
    match work {
        Work::Remove { paths } => paths.iter().try_for_each(|path| remove(path))?,
        Work::Unpack { tarball, to } => unpack(&tarball, &to)?,
        Work::Export { plan } => crate::export::carry_out(&plan)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn remove(path: &Path) -> Result<()> {
    let begin = Instant::now();
    loop {
        let gone = match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => std::fs::remove_file(path),
            // A folder that its owner may not write is no obstacle for root, but for root of a user namespace it is
            // when its own mode says so and the file system is not that namespace's.
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
                // A blocking wait: this process is single-threaded and does nothing else.
                let _ = rustix::thread::nanosleep(&PAUSE);
            }
            Ok(()) => return Ok(()),
        }
    }
}

/// Lets the owner into every folder below `path`.
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
    let unpacked = if magic == GZIP {
        transfer::unpack(flate2::read::MultiGzDecoder::new(stream), to)
    } else {
        transfer::unpack(stream, to)
    };
    unpacked
        .context(doing)
        .map_err(|error| error.help("A root file system is a tar file, plain or compressed with gzip."))
}
