//! Plans a bake without running it.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use crate::engine::decide::{Base, decide, version_of};
use crate::engine::deploy;
use crate::engine::options::{BakeContext, Options};
use crate::engine::published::Published;
use crate::error::Result;
use crate::event::Decision;
use crate::image::Superseded;
use crate::plan::{Digest, ImageKey, ImagePlan, SourceImage};
use crate::run::Run;

/// The plan for one image.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlannedImage {
    /// Everything is known before the bake.
    Decided {
        /// Image and variant.
        key: ImageKey,
        /// Name of the image.
        name: String,
        /// Source image.
        source: Box<SourceImage>,
        /// Version of the image.
        version: semver::Version,
        /// The digest.
        digest: Digest,
        /// Bake, reuse or register, and why.
        decision: Box<Decision>,
        /// Number of steps per phase: build, validate, test.
        steps: [usize; 3],
        /// Versions that retention would delete once this one is registered, with what protects each.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        retiring: Vec<Superseded>,
        /// The image that this one is built on, if the bake registers that one first.
        #[serde(skip_serializing_if = "Option::is_none")]
        base: Option<ImageKey>,
        /// Deployment targets, in order.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        deploying: Vec<String>,
        /// The plan in full.
        #[serde(skip)]
        plan: Box<ImagePlan>,
    },
    /// The image is baked because its base is baked; the rest is known only then.
    WaitsFor {
        /// Image and variant.
        key: ImageKey,
        /// The image that it is built on.
        base: ImageKey,
        /// The version, unless other images are published before.
        version: semver::Version,
    },
}

/// The plan for an image that other images are built on.
#[derive(Clone)]
enum PlannedBase {
    /// The image is reused unchanged.
    Reused(Base),
    /// The image gets another ID; this is the image that it is registered from.
    Reregistered(Base),
    /// The image is baked, so its ID is not known yet.
    Baked,
}

/// Plans every variant in order.
///
/// # Errors
/// The first variant that can't be planned.
pub async fn plan(run: &Run, context: &BakeContext, options: &Options) -> Result<Vec<PlannedImage>> {
    let mut bases: HashMap<ImageKey, PlannedBase> = HashMap::new();
    let mut planned = Vec::new();
    let drafts = Arc::clone(&context.recipe).drafts();
    let published = Published::for_images(drafts.len());
    for draft in drafts {
        let variant = &draft.variant;
        let base = variant.after.as_ref().and_then(|key| Some((key, bases.get(key)?.clone())));
        let (record, waits) = match &base {
            None => (None, None),
            Some((_, PlannedBase::Reused(record))) => (Some(record), None),
            Some((key, PlannedBase::Reregistered(record))) => (Some(record), Some(*key)),
            Some((key, PlannedBase::Baked)) => (None, Some(*key)),
        };
        let decided = if record.is_some() || waits.is_none() {
            Some(run.until_cancelled(decide(run, context, options, &draft, record, &published)).await??)
        } else {
            None
        };
        // A base that is registered under another ID changes the images built on it, unless their content is unchanged
        // too.
        let decided = decided.filter(|decided| waits.is_none() || !matches!(decided.decision, Decision::Bake { .. }));
        let (Some(decided), waits) = (decided, waits.cloned()) else {
            bases.insert(variant.key.clone(), PlannedBase::Baked);
            let version = run.until_cancelled(version_of(run, context, options, variant, &published)).await??;
            let Some((base, _)) = base else { continue };
            planned.push(PlannedImage::WaitsFor { key: variant.key.clone(), base: base.clone(), version });
            continue;
        };
        let same = decided.same.clone();
        bases.insert(
            variant.key.clone(),
            match &decided.decision {
                Decision::Reuse { image } => PlannedBase::Reused(Base { image: image.clone(), same }),
                Decision::Reregister { image } => PlannedBase::Reregistered(Base { image: image.clone(), same }),
                Decision::Bake { .. } => PlannedBase::Baked,
            },
        );
        let plan = decided.plan;
        let retires = plan.settings.distribution.wanted && !plan.settings.retention.is_none();
        let retiring = if retires {
            // A reused version is already among the published ones.
            let planned = !matches!(decided.decision, Decision::Reuse { .. });
            run.until_cancelled(context.platform.superseded(run, &plan, planned)).await??
        } else {
            Vec::new()
        };
        planned.push(PlannedImage::Decided {
            key: variant.key.clone(),
            name: plan.settings.name.clone(),
            source: Box::new(plan.source.clone()),
            version: plan.version.clone(),
            digest: plan.digest.clone(),
            decision: Box::new(decided.decision),
            steps: [plan.build.len(), plan.validate.len(), plan.test.len()],
            retiring,
            base: waits,
            deploying: deploy::places(context, &plan.settings.deployments),
            plan: Box::new(plan),
        });
    }
    Ok(planned)
}
