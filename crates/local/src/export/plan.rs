//! What the exporting process is to do, as JSON in a file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use ami_bake_core::plan::Architecture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::format::Format;
use super::tree::Layer;

/// An export.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ExportPlan {
    /// Format of the export.
    pub(super) format: Format,
    /// The layers, top first.
    pub(super) layers: Vec<Layer>,
    /// The file or folder to create.
    pub(super) to: PathBuf,
    /// A folder for temporary files.
    pub(super) work: PathBuf,
    /// Facts about the image.
    pub(super) image: ImageFacts,
}

/// What an exported image says about itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ImageFacts {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) created: Timestamp,
    pub(super) architecture: Option<Architecture>,
    pub(super) tags: BTreeMap<String, String>,
}

/// Creates a file for a large amount of data.
pub(super) fn create(path: &Path) -> io::Result<BufWriter<File>> {
    Ok(BufWriter::with_capacity(1 << 20, File::create_new(path)?))
}
