//! A raw ext4 disk, by mkfs.ext4 of e2fsprogs.

use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ami_bake_core::{Error, ErrorKind, Result};

use super::archive::Archive;
use super::carry_out::Plan;
use super::tree::{Layer, merged};
use crate::sandbox::unpack;

/// What makes the file system.
const MKFS: &str = "mkfs.ext4";

/// What a machine may write before the disk is full: its owner grows it, this is for the first boot.
const FREE: u64 = 128 << 20;

/// Writes the disk: the files are put into one folder, which mkfs copies.
pub(super) fn write(plan: &Plan) -> Result<()> {
    let mkfs = program()?;
    let failed = |what: &str, error: io::Error| Error::build(what.to_owned()).because(error);
    let tree = plan.work.join("tree");
    let (entries, room) =
        copy(&plan.layers, &tree).map_err(|error| failed("put the files of the disk together", error))?;
    // The journal, the tables and what mkfs keeps for root are about a tenth.
    let size = (room + entries * 512) / 10 * 12 + FREE;
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
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::build(format!("make the ext4 disk: mkfs.ext4 ended with {}: {}", output.status, said.trim())))
}

/// Where mkfs.ext4 is; it is often out of a user's path.
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
            Error::new(ErrorKind::Preflight, "make an ext4 disk: mkfs.ext4 is missing")
                .help("Install the package e2fsprogs, or export a .tar or an OCI image layout.")
        })
}

/// Copies what a machine on the layers would see into the folder `to`, through a tar stream: owners, links and attributes
/// come along. Answers how many files there are and the room they take.
fn copy(layers: &[Layer], to: &Path) -> io::Result<(u64, u64)> {
    std::fs::create_dir_all(to)?;
    let (reader, writer) = io::pipe()?;
    std::thread::scope(|scope| {
        let packing = scope.spawn(move || {
            let mut archive = Archive::new(BufWriter::with_capacity(1 << 16, writer));
            merged(layers, &mut |name, node| archive.add(name, node))?;
            let counts = (archive.entries, archive.room);
            archive.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
            Ok(counts)
        });
        let unpacked = unpack(BufReader::with_capacity(1 << 16, reader), to);
        let packed: io::Result<(u64, u64)> =
            packing.join().unwrap_or_else(|_| Err(io::Error::other("packing the files broke off")));
        // What could not be packed tears the stream: its reason is the better one.
        match (packed, unpacked) {
            (Err(error), Err(_) | Ok(())) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            (packed, unpacked) => unpacked.and(packed),
        }
    })
}
