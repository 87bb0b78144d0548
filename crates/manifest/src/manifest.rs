//! A loaded manifest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ami_bake_core::plan::{ImageKey, Price, SourceQuery, VersionRule};
use ami_bake_core::{Error, Route};
use serde_json::{Map, Value};

use crate::access::{FileAccess, VisibleEnv};
use crate::diagnostic::{Diagnostic, Sources, Span};
use crate::expression::Scope;
use crate::model::Platform;
use crate::options::Options;
use crate::schema::SchemaValidator;
use crate::tree::Node;

/// A valid manifest, for one environment and platform.
pub struct Manifest {
    pub(crate) sources: Sources,
    pub(crate) root: Node,
    /// The folder that paths are relative to.
    pub(crate) folder: PathBuf,
    /// The files that the manifest may refer to.
    pub(crate) files: FileAccess,
    pub(crate) platform: Platform,
    pub(crate) namespace: String,
    pub(crate) version: VersionRule,
    pub(crate) region: Option<String>,
    pub(crate) role: Option<String>,
    /// Hourly prices of machine types.
    pub(crate) hourly: BTreeMap<String, Price>,
    /// Tags of everything that a bake creates.
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) secrets: Vec<String>,
    pub(crate) images: Vec<ImageEntry>,
    pub(crate) scope: Scope,
    pub(crate) options: Options,
    /// Variables without a value; only in `check`.
    pub(crate) missing: Vec<String>,
    pub(crate) validator: OnceLock<SchemaValidator>,
}

/// One image of the manifest.
pub(crate) struct ImageEntry {
    pub(crate) name: String,
    /// The image's definition merged over the defaults.
    pub(crate) node: Node,
    pub(crate) variants: Vec<VariantEntry>,
}

/// One variant of an image.
pub(crate) struct VariantEntry {
    pub(crate) key: ImageKey,
    pub(crate) matrix: Map<String, Value>,
    pub(crate) source: SourceQuery,
    pub(crate) after: Option<ImageKey>,
    pub(crate) selected: bool,
}

impl Manifest {
    /// The platform that its images are baked on.
    pub fn platform(&self) -> Platform {
        self.platform
    }

    /// The home region: `--region`, else the manifest's.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// The environment variables that the manifest can read.
    pub fn env(&self) -> &VisibleEnv {
        &self.options.env
    }

    /// The role to assume.
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// Tags of everything that a bake creates.
    pub fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }

    /// Names of the environment variables that hold secrets.
    pub fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// The folder that paths are relative to.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The source files, for rendering findings.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The span of a route.
    pub fn span(&self, route: &Route) -> Span {
        if let [ami_bake_core::Segment::Key(images), ami_bake_core::Segment::Key(name), rest @ ..] = route.0.as_slice()
            && images == "images"
            && let Some(image) = self.images.iter().find(|image| &image.name == name)
        {
            return image.node.place(&Route(rest.to_vec()));
        }
        self.root.place(route)
    }

    /// Converts an error with a route to a finding, so that it is shown with its line.
    pub fn finding(&self, error: &Error) -> Option<Diagnostic> {
        let route = error.route()?;
        let mut finding = Diagnostic::error("bake", self.span(route), error.message()).route(route.clone());
        finding.help = error.help_text().map(str::to_owned);
        Some(finding)
    }

    /// Whether `--platform` selected another platform than the manifest.
    pub(crate) fn is_foreign(&self) -> bool {
        let own = self.root.get("platform").and_then(Node::as_text).unwrap_or(Platform::default().as_str());
        self.platform.as_str() != own
    }

    pub(crate) fn image(&self, name: &str) -> Option<&ImageEntry> {
        self.images.iter().find(|image| image.name == name)
    }

    pub(crate) fn variant(&self, key: &ImageKey) -> Option<(&ImageEntry, &VariantEntry)> {
        let image = self.image(&key.image)?;
        image.variants.iter().find(|variant| &variant.key == key).map(|variant| (image, variant))
    }
}
