//! Parameters of an export, passed to the exporting process as a JSON file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use ami_bake_core::plan::Architecture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::format::Format;
use super::tree::Layer;

/// Parameters of an export.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ExportPlan {
    /// Format of the export.
    pub(super) format: Format,
    /// Layers of the image, top first.
    pub(super) layers: Vec<Layer>,
    /// The file or folder to create.
    pub(super) to: PathBuf,
    /// A folder for temporary files.
    pub(super) work: PathBuf,
    /// Facts about the image.
    pub(super) image: ImageFacts,
}

/// Metadata of an exported image.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ImageFacts {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) created: Timestamp,
    pub(super) architecture: Option<Architecture>,
    pub(super) tags: BTreeMap<String, String>,
}

/// Creates a file with a large write buffer.
pub(super) fn create(path: &Path) -> io::Result<BufWriter<File>> {
    Ok(BufWriter::with_capacity(1 << 20, File::create_new(path)?))
}
