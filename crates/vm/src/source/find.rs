//! Finds the source of a manifest.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use ami_bake_core::plan::{DiskQuery, SourceImage, SourceQuery};
use ami_bake_core::{Error, Result};
use ami_bake_local::{DISK_LAYER, Images, architecture, find_image};
use sha2::Digest as _;

/// Finds a source. A disk is found by its checksum; it is read when a machine needs it.
///
/// # Errors
/// When the source is missing, or its checksum is not the manifest's.
pub(crate) async fn find(images: &Images, query: &SourceQuery) -> Result<SourceImage> {
    match query {
        SourceQuery::Disk(query) => disk(query).await,
        SourceQuery::Id(text) => Ok(find_image(&images.store().images()?, text)?.source()),
        SourceQuery::Baked(query) => images.baked(query),
        SourceQuery::Reference(text) => Err(unsupported(text)),
        SourceQuery::Newest { name, .. } => Err(unsupported(&format!("an image named {name}"))),
        SourceQuery::Parameter(name) => Err(unsupported(&format!("the parameter {name}"))),
    }
}

fn unsupported(what: &str) -> Error {
    Error::preflight(format!("could not find {what}: not supported on the platform `vm`"))
        .help("Set a `vm` source: `vm: {disk: FILE}`, or an image that was baked here.")
}

async fn disk(query: &DiskQuery) -> Result<SourceImage> {
    let location = &query.location;
    let (name, sum) = if is_url(location) {
        let sum = query.sha256.clone();
        let sum = sum.ok_or_else(|| Error::manifest(format!("the checksum of {location} is missing")));
        (location.clone(), sum?)
    } else {
        let path = std::fs::canonicalize(location).map_err(|error| {
            Error::preflight(format!("could not find the disk image {location}"))
                .help("Set `vm: {disk: …}` to a disk image in a file, qcow2 or raw, or to its `https` URL.")
                .because(error)
        })?;
        let sum = sha256(&path).await?;
        if let Some(expected) = query.sha256.as_ref().filter(|expected| **expected != sum) {
            return Err(wrong_checksum(location, expected, &sum));
        }
        (path.display().to_string(), sum)
    };
    Ok(SourceImage {
        id: format!("{DISK_LAYER}{sum}"),
        name,
        owner: "local".to_owned(),
        created: None,
        tags: BTreeMap::new(),
        architecture: query.architecture.or_else(architecture),
        identity: format!("sha256:{sum}"),
        version: None,
    })
}

/// Whether a location is a URL and not a path.
pub(super) fn is_url(location: &str) -> bool {
    location.starts_with("https://")
}

/// The error for a file with another checksum.
pub(super) fn wrong_checksum(location: &str, expected: &str, found: &str) -> Error {
    Error::preflight(format!("wrong checksum of {location}: sha256 is {found}, expected {expected}")).help(
        "The file was replaced or is incomplete. Check it with the publisher's list of checksums, then set `sha256`.",
    )
}

/// The checksum of a file, as hexadecimal digits.
///
/// # Errors
/// When the file can't be read.
pub(super) async fn sha256(path: &Path) -> Result<String> {
    let path: PathBuf = path.to_owned();
    let work = tokio::task::spawn_blocking(move || {
        let failed =
            |error: std::io::Error| Error::preflight(format!("could not read {}", path.display())).because(error);
        let mut file = std::fs::File::open(&path).map_err(failed)?;
        let mut hash = sha2::Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer).map_err(failed)? {
                0 => return Ok(hex(&hash.finalize())),
                length => hash.update(&buffer[..length]),
            }
        }
    });
    work.await.map_err(|error| Error::internal("could not hash a disk image").because(error))?
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
