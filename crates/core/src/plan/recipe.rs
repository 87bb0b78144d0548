//! What the engine asks of a manifest, without knowing YAML.

use semver::Version;

use crate::error::Result;
use crate::plan::{Digest, ImageKey, ImagePlan, SourceImage, SourceQuery};
use crate::route::Route;

/// One image and variant before its source is found.
#[derive(Debug, Clone)]
pub struct Variant {
    /// Which image and variant.
    pub key: ImageKey,
    /// Where it stands in the manifest.
    pub route: Route,
    /// Where it comes from.
    pub source: SourceQuery,
    /// The variant of this manifest that must be baked first, where the source is one.
    pub after: Option<ImageKey>,
    /// The manifest's version for it.
    pub version: VersionRule,
}

/// What the manifest's `version` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionRule {
    /// The one that follows the highest published.
    Auto,
    /// Only tags and releases make final versions.
    Release,
    /// This one.
    Fixed(Version),
}

/// What a variant's expressions wait for.
#[derive(Debug, Clone)]
pub struct Resolved<'a> {
    /// The source that was found.
    pub source: &'a SourceImage,
    /// The version of the image.
    pub version: &'a Version,
}

/// A manifest as the engine sees it.
pub trait Recipe: Send + Sync {
    /// The namespace of its images.
    fn namespace(&self) -> &str;

    /// The selected images and variants, each after the one that it is built on.
    fn variants(&self) -> Vec<Variant>;

    /// The digest of a variant: the same for every version that `auto` may give it.
    ///
    /// # Errors
    /// When an expression fails with this source, or a file can't be read.
    fn digest(&self, key: &ImageKey, source: &SourceImage) -> Result<Digest>;

    /// Evaluates a variant whole.
    ///
    /// # Errors
    /// When an expression fails with these values.
    fn plan(&self, key: &ImageKey, resolved: &Resolved<'_>) -> Result<ImagePlan>;
}
