//! The export itself, in the process that may read the files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use ami_bake_core::plan::Architecture;
use ami_bake_core::{Error, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::archive::Archive;
use super::tree::{Layer, merged};
use super::{Format, disk, oci};

/// What is to be exported, as the file that the process reads.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// As what.
    pub(super) format: Format,
    /// The layers, top first.
    pub(super) layers: Vec<Layer>,
    /// Where it goes; nothing is there yet.
    pub(super) to: PathBuf,
    /// A folder for what is needed on the way.
    pub(super) work: PathBuf,
    /// What the image says about itself.
    pub(super) about: About,
}

/// What an image says about itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) created: Timestamp,
    pub(super) architecture: Option<Architecture>,
    pub(super) tags: BTreeMap<String, String>,
}

/// Carries out the plan in a file.
///
/// # Errors
/// When a file can't be read or written.
pub(crate) fn carry_out(path: &Path) -> Result<()> {
    let plan: Plan = std::fs::read(path)
        .and_then(|text| Ok(serde_json::from_slice(&text)?))
        .map_err(|error| Error::internal("read what to export").because(error))?;
    let written = match plan.format {
        Format::Oci => oci::layout(&plan, &plan.to),
        Format::OciArchive => oci::archive(&plan),
        Format::Rootfs => create(&plan.to).and_then(|file| rootfs(&plan.layers, file)).map(drop),
        Format::RootfsGz => create(&plan.to).and_then(|file| {
            let gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            rootfs(&plan.layers, gzip)?.finish()?.flush()
        }),
        Format::Disk => return disk::write(&plan),
    };
    written.map_err(|error| Error::build(format!("write the {}", plan.format.as_str())).because(error))
}

pub(super) fn create(path: &Path) -> io::Result<BufWriter<File>> {
    Ok(BufWriter::with_capacity(1 << 20, File::create_new(path)?))
}

fn rootfs<W: Write>(layers: &[Layer], to: W) -> io::Result<W> {
    let mut archive = Archive::new(to);
    merged(layers, &mut |name, node| archive.add(name, node))?;
    let mut to = archive.finish()?;
    to.flush()?;
    Ok(to)
}
