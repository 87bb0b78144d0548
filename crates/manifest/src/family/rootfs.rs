//! Checks whether a path looks like a root file system.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// The first two bytes of a gzip file (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Magic bytes of other compression formats, and their tools.
const OTHERS: [(&[u8], &str); 3] = [(b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2")];
/// The size of a tar header, and the position of the checksum in it (tar(5)).
const HEADER: usize = 512;
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// Why an existing path is not a root file system, and what to do. Paths that can't be read are left to the bake.
pub(super) fn wrong(path: &Path) -> Option<(String, String)> {
    let meta = std::fs::metadata(path).ok()?;
    if meta.is_dir() {
        let absent = |name: &str| {
            std::fs::symlink_metadata(path.join(name)).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
        };
        let missing = if absent("etc") {
            "/etc"
        } else if absent("bin/sh") && absent("usr/bin/sh") {
            "/bin/sh"
        } else {
            return None;
        };
        return Some((
            format!("is not a root file system: it has no {missing}"),
            "Use a folder with a complete system, such as one created by debootstrap or `docker export`.".to_owned(),
        ));
    }
    // Opening a pipe would wait for its writer.
    if !meta.is_file() {
        return Some(("is not a file or folder".to_owned(), "Use a folder, or a tar file of one.".to_owned()));
    }
    let mut start = Vec::new();
    File::open(path).ok()?.take(HEADER as u64).read_to_end(&mut start).ok()?;
    if start.starts_with(&GZIP) || is_header(&start) {
        return None;
    }
    if let Some((_, tool)) = OTHERS.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Some((
            format!("is compressed with {tool}, which is not supported"),
            format!("Use an uncompressed or gzip-compressed tarball: `{tool} -dc FILE | gzip > root.tar.gz`."),
        ));
    }
    Some((
        "is not a tar file".to_owned(),
        "A root file system is a folder, or a tar file of one, uncompressed or compressed with gzip.".to_owned(),
    ))
}

/// Whether a block is a tar header. The checksum is the sum of the header's bytes, with the checksum field read as
/// spaces.
fn is_header(block: &[u8]) -> bool {
    let Some(field) = block.get(CHECKSUM).filter(|_| block.len() == HEADER) else { return false };
    let digits: String = field.iter().map(|byte| char::from(*byte)).filter(char::is_ascii_digit).collect();
    let sum: u64 =
        block.iter().enumerate().map(|(at, byte)| u64::from(if CHECKSUM.contains(&at) { b' ' } else { *byte })).sum();
    u64::from_str_radix(&digits, 8).is_ok_and(|told| told == sum)
}
