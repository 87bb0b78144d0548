//! Writes a raw ext4 disk with mkfs.ext4 of e2fsprogs.

use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ami_bake_core::archive::ArchiveLimits;
use ami_bake_core::{Error, ErrorKind, Result};

use super::archive::Archive;
use super::plan::ExportPlan;
use super::tree::{Layer, merged};
use crate::sandbox::unpack;

/// The program that creates the file system.
const MKFS: &str = "mkfs.ext4";

/// Free space on the disk for the first boot; its owner can enlarge it.
const FREE: u64 = 128 << 20;

/// Writes the disk: all files are copied to one folder, which mkfs packs.
pub(super) fn write(plan: &ExportPlan) -> Result<()> {
    let mkfs = program()?;
    let failed = |what: &str, error: io::Error| Error::build(what.to_owned()).because(error);
    let tree = plan.work.join("tree");
    let (entries, bytes) = copy(&plan.layers, &tree).map_err(|error| failed("collect the files of the disk", error))?;
    // Journal, tables and the blocks that mkfs reserves for root take about a tenth.
    let size = (bytes + entries * 512) / 10 * 12 + FREE;
    let output = Command::new(&mkfs)
        .args([
            "-q",
            "-F",
            "-m",
            "1",
            "-L",
            "root",
            "-E",
            "root_owner=0:0",
            "-N",
            &(entries / 10 * 12 + 8192).to_string(),
        ])
        .arg("-d")
        .args([&tree, &plan.to])
        .arg(format!("{}k", size.div_ceil(1 << 20) << 10))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| failed("run mkfs.ext4", error))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(Error::build(format!(
        "could not create the ext4 disk: mkfs.ext4 failed with {}: {}",
        output.status,
        stderr.trim()
    )))
}

/// The path of mkfs.ext4, which is often not in the PATH of a user.
///
/// # Errors
/// When it is missing.
pub(super) fn program() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(MKFS))
        .find(|program| program.is_file())
        .ok_or_else(|| {
            Error::new(ErrorKind::Preflight, "could not create an ext4 disk: mkfs.ext4 is not installed")
                .help("Install the package e2fsprogs, or export a .tar file or an OCI image layout.")
        })
}

/// Copies the merged layers into the folder `to`, through a tar stream that keeps owners, links and attributes. Returns the
/// number of files and their size.
fn copy(layers: &[Layer], to: &Path) -> io::Result<(u64, u64)> {
    std::fs::create_dir_all(to)?;
    let (reader, writer) = io::pipe()?;
    std::thread::scope(|scope| {
        let packing = scope.spawn(move || {
            let mut archive = Archive::new(BufWriter::with_capacity(1 << 16, writer));
            merged(layers, &mut |name, node| archive.add(name, node))?;
            let counts = (archive.entries, archive.size);
            archive.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
            Ok(counts)
        });
        let archive = BufReader::with_capacity(1 << 16, reader);
        let unpacked = unpack(archive, to, Path::new(""), ArchiveLimits::NONE).map_err(io::Error::other);
        let packed: io::Result<(u64, u64)> =
            packing.join().unwrap_or_else(|_| Err(io::Error::other("the packing thread panicked")));
        // When packing fails the stream ends early, so its error explains more than that of unpacking.
        match (packed, unpacked) {
            (Err(error), Err(_) | Ok(())) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            (packed, unpacked) => unpacked.and(packed),
        }
    })
}
