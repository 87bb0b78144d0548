//! Images in the store.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ami_bake_core::plan::{Architecture, Digest, ImageKey, SourceImage};
use ami_bake_core::platform::ImageRecord;
use ami_bake_core::{Error, Result, tags, whole_file};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::folder::{Store, store_error};

/// Version of the file format, raised when an older ami-bake would misread a file.
const FORMAT: u32 = 1;

/// An image: layers over a base, with a name and tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Version of the file format.
    pub format: u32,
    /// ID of the image: `img-` and random digits.
    pub id: String,
    /// Name of the image.
    pub name: String,
    /// True until its tests have passed.
    pub candidate: bool,
    /// The base below all layers.
    pub base: Base,
    /// IDs of its layers in the store, top first.
    pub layers: Vec<String>,
    /// Architecture of the image.
    pub architecture: Option<Architecture>,
    /// Time of the capture.
    pub created: Timestamp,
    /// Tags of the image, including those of ami-bake.
    pub tags: BTreeMap<String, String>,
}

/// The base below an image's layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Base {
    /// No base: the lowest layer is a whole root file system.
    Layers,
    /// This machine's own root.
    Host {
        /// Identity of its content when the image was baked.
        identity: String,
    },
    /// A root file system in a folder, used in place.
    Folder {
        /// Path of the folder.
        path: PathBuf,
        /// Identity of its content when the image was baked.
        identity: String,
    },
}

impl Image {
    /// The namespace, and the key of image and variant; `None` when the tags are missing.
    pub fn key(&self) -> Option<(&str, ImageKey)> {
        let namespace = self.tags.get(tags::NAME)?;
        let image = self.tags.get(tags::IMAGE)?.clone();
        Some((namespace, ImageKey { image, variant: tags::variant(&self.tags).cloned() }))
    }

    /// Version of the image.
    pub fn version(&self) -> Option<semver::Version> {
        self.tags.get(tags::VERSION)?.parse().ok()
    }

    /// The image as the engine lists it; `None` when tags are missing.
    pub fn record(&self) -> Option<ImageRecord> {
        let (namespace, key) = self.key()?;
        Some(ImageRecord {
            id: self.id.clone(),
            name: self.name.clone(),
            region: None,
            account: None,
            namespace: namespace.to_owned(),
            key,
            version: self.version()?,
            digest: Digest::from_text(self.tags.get(tags::DIGEST)?),
            tested: self.tags.get(tags::TESTED).filter(|_| !self.candidate).and_then(|time| time.parse().ok()),
            created: Some(self.created),
            available: true,
            architecture: self.architecture,
            parts: self.layers.clone(),
            size: None,
            tags: self.tags.clone(),
        })
    }

    /// The image as a source to launch from.
    pub fn source(&self) -> SourceImage {
        SourceImage {
            id: self.id.clone(),
            name: self.name.clone(),
            owner: "local".to_owned(),
            created: Some(self.created),
            tags: self.tags.clone(),
            architecture: self.architecture,
            // Layers never change, and every captured layer has an ID of its own.
            identity: self.layers.first().unwrap_or(&self.id).clone(),
            version: self.version(),
        }
    }
}

impl Store {
    /// All images, candidates included, newest first. Files that are not images are ignored.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn images(&self) -> Result<Vec<Image>> {
        let folder = self.images_folder();
        let entries = std::fs::read_dir(&folder).map_err(|error| store_error("read", &folder, error))?;
        let files =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "json"));
        let mut images: Vec<Image> = files
            .filter_map(|path| serde_json::from_slice(&std::fs::read(path).ok()?).ok())
            .filter(|image: &Image| image.format == FORMAT)
            .collect();
        images.sort_by(|one, other| (other.created, &other.id).cmp(&(one.created, &one.id)));
        Ok(images)
    }

    /// One image by its id.
    ///
    /// # Errors
    /// When there is no such image.
    pub fn image(&self, id: &str) -> Result<Image> {
        let missing = || {
            Error::preflight(format!("image {id} is not in the store {}", self.root().display()))
                .help("`ami-bake images` lists the images.")
        };
        // An id is never a path.
        if id.contains('/') {
            return Err(missing());
        }
        let text = std::fs::read(self.image_file(id)).map_err(|error| missing().because(error))?;
        serde_json::from_slice(&text).map_err(|error| missing().because(error))
    }

    /// A new image of this machine's architecture that is not in the store yet.
    pub fn new_image(name: String, base: Base, layers: Vec<String>, tags: BTreeMap<String, String>) -> Image {
        Image {
            format: FORMAT,
            id: new_id("img"),
            name,
            candidate: true,
            base,
            layers,
            architecture: architecture(),
            created: Timestamp::now(),
            tags,
        }
    }

    /// Writes an image, whole or not at all.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write(&self, image: &Image) -> Result<()> {
        let path = self.image_file(&image.id);
        let text = serde_json::to_vec_pretty(image)
            .map_err(|error| Error::internal("could not write an image").because(error))?;
        let written = whole_file::replace_durably(&path, |to| to.write_all(&text));
        written.map_err(|error| store_error("write", &path, error))
    }
}

/// This machine's architecture, the only one that runs here.
pub fn architecture() -> Option<Architecture> {
    match std::env::consts::ARCH {
        "x86_64" => Some(Architecture::X86_64),
        "aarch64" => Some(Architecture::Arm64),
        _ => None,
    }
}

/// A new ID: the prefix and 17 hexadecimal digits, as in EC2's IDs.
pub fn new_id(prefix: &str) -> String {
    let digits = uuid::Uuid::new_v4().simple().to_string();
    format!("{prefix}-{}", digits.get(..17).unwrap_or(&digits))
}
