//! Turns a manifest into plans: a draft per image, resolved once its source is known, then the plan of a version.
//!
//! Each is computed once. Resolving a draft reads the local files that the image is made of; making a plan only
//! evaluates expressions.

use std::sync::Arc;
use std::time::Duration;

use semver::Version;

use crate::error::{Error, Result};
use crate::plan::{Digest, DigestParts, ImageKey, ImagePlan, Phase, ReadInputs, SourceImage, SourceQuery, Step};
use crate::route::Route;

/// Placeholder for a version that depends on the published images; the digest must not depend on it.
const UNDECIDED: Version = Version::new(0, 0, 0);

/// An image and variant before its source is found.
#[derive(Debug, Clone)]
pub struct Variant {
    /// Image and variant.
    pub key: ImageKey,
    /// Location of the image in the manifest.
    pub route: Route,
    /// Query for the source of the image.
    pub source: SourceQuery,
    /// The variant of this manifest that must be baked first, if the source is one.
    pub after: Option<ImageKey>,
    /// The manifest's `version` for the image.
    pub version: VersionRule,
}

/// The manifest's `version` of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionRule {
    /// The version after the highest published one.
    Auto,
    /// Only tags and releases make final versions.
    Release,
    /// Always this version.
    Fixed(Version),
}

/// A manifest as the engine sees it.
pub trait Recipe: Send + Sync {
    /// The namespace of the recipe's images.
    fn namespace(&self) -> &str;

    /// Drafts of the selected images, each after the image that it is built on.
    fn drafts(self: Arc<Self>) -> Vec<Draft>;
}

/// The manifest's definition of one image. Its expressions are evaluated once source and version are known.
pub trait ImageDefinition: Send + Sync {
    /// Evaluates every expression. Opens no file that a step sends, and leaves the digest empty.
    ///
    /// # Errors
    /// When an expression fails with these values.
    fn evaluate(&self, source: &SourceImage, version: &Version) -> Result<ImagePlan>;

    /// Computes the digest of an evaluated plan and the hashes of its local files. Opens each file once, and blocks.
    ///
    /// # Errors
    /// When a file can't be read.
    fn read(&self, plan: &ImagePlan) -> Result<ReadInputs>;
}

/// One image of a manifest, to be resolved once its source is known.
#[derive(Clone)]
pub struct Draft {
    /// The image's key, source query and version rule.
    pub variant: Variant,
    definition: Arc<dyn ImageDefinition>,
}

impl Draft {
    /// The draft of a variant.
    pub fn new(variant: Variant, definition: Arc<dyn ImageDefinition>) -> Self {
        Self { variant, definition }
    }

    /// Evaluates the image for this source and reads its local files, off the async threads.
    ///
    /// # Errors
    /// When an expression fails with this source, or a file can't be read.
    pub async fn resolve(&self, source: SourceImage) -> Result<ResolvedDraft> {
        let draft = self.clone();
        tokio::task::spawn_blocking(move || draft.resolve_blocking(&source))
            .await
            .map_err(|error| Error::internal("the task that reads an image's files panicked").because(error))?
    }

    /// [`Draft::resolve`] on this thread.
    ///
    /// # Errors
    /// As in [`Draft`].
    pub fn resolve_blocking(&self, source: &SourceImage) -> Result<ResolvedDraft> {
        let version = match &self.variant.version {
            VersionRule::Fixed(version) => version,
            VersionRule::Auto | VersionRule::Release => &UNDECIDED,
        };
        let plan = self.definition.evaluate(source, version)?;
        let read = self.definition.read(&plan)?;
        Ok(ResolvedDraft { definition: Arc::clone(&self.definition), plan: plan.with(&read), read })
    }

    /// The plan for publishing or deploying an existing image. Its digest is known, and no file is read.
    ///
    /// # Errors
    /// When an expression fails with these values.
    pub fn existing(&self, source: &SourceImage, version: &Version, digest: &Digest) -> Result<ImagePlan> {
        Ok(self.definition.evaluate(source, version)?.with(&ReadInputs::known(digest.clone())))
    }
}

/// A draft whose source is known, for any version that the image may get.
#[derive(Clone)]
pub struct ResolvedDraft {
    definition: Arc<dyn ImageDefinition>,
    /// The plan of the version that the digest was computed for.
    plan: ImagePlan,
    read: ReadInputs,
}

impl ResolvedDraft {
    /// The digest: the same for every version that `auto` may choose.
    pub fn digest(&self) -> &Digest {
        &self.plan.digest
    }

    /// What the digest is made of.
    pub fn parts(&self) -> &DigestParts {
        &self.read.parts
    }

    /// The source that it was resolved with.
    pub fn source(&self) -> &SourceImage {
        &self.plan.source
    }

    /// How long an image of this digest may be reused: the shortest `cache-for` of all steps.
    pub fn cache_for(&self) -> Option<Duration> {
        self.step_with_shortest_cache().and_then(|step| step.cache_for)
    }

    /// The step that decides how long an image may be reused.
    pub fn step_with_shortest_cache(&self) -> Option<&Step> {
        let phases = [Phase::Build, Phase::Validate, Phase::Test].into_iter();
        let limited = phases.flat_map(|phase| self.plan.steps(phase)).filter(|step| step.cache_for.is_some());
        limited.min_by_key(|step| step.cache_for)
    }

    /// The plan for this version. Reads no file.
    ///
    /// # Errors
    /// When an expression fails with this version.
    pub fn at(&self, version: &Version) -> Result<ImagePlan> {
        if *version == self.plan.version {
            return Ok(self.plan.clone());
        }
        let plan = self.definition.evaluate(&self.plan.source, version)?;
        Ok(plan.with(&self.read))
    }
}
