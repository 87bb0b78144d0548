//! What a bake would do, without doing it.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use crate::engine::decide::{decide, version_of};
use crate::engine::deploy;
use crate::engine::options::{BakeContext, Options};
use crate::engine::published::Published;
use crate::error::Result;
use crate::event::Decision;
use crate::image::{ImageRecord, Superseded};
use crate::plan::{Digest, ImageKey, ImagePlan, SourceImage};
use crate::run::Run;

/// What a bake would do with one image.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlannedImage {
    /// Everything is known.
    Decided {
        /// Image and variant.
        key: ImageKey,
        /// Its name.
        name: String,
        /// The source.
        source: Box<SourceImage>,
        /// The version.
        version: semver::Version,
        /// The digest.
        digest: Digest,
        /// What is done, and why.
        decision: Box<Decision>,
        /// How many steps: build, validate, test.
        steps: [usize; 3],
        /// Versions that retention would delete once this one is registered, with what holds each.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        retiring: Vec<Superseded>,
        /// What it would be deployed to, in order.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        deploying: Vec<String>,
        /// The whole plan.
        #[serde(skip)]
        plan: Box<ImagePlan>,
    },
    /// It is baked, since what it is built on is; the rest is known only then.
    WaitsFor {
        /// Image and variant.
        key: ImageKey,
        /// The image that it is built on.
        base: ImageKey,
        /// The version, unless what is published changes before.
        version: semver::Version,
    },
}

/// Decides for every variant in order.
///
/// # Errors
/// The first variant that can't be planned.
pub async fn plan(run: &Run, context: &BakeContext, options: &Options) -> Result<Vec<PlannedImage>> {
    let mut there: HashMap<ImageKey, Option<ImageRecord>> = HashMap::new();
    let mut planned = Vec::new();
    let drafts = Arc::clone(&context.recipe).drafts();
    let published = Published::for_images(drafts.len());
    for draft in drafts {
        let variant = &draft.variant;
        let base = variant.after.as_ref().and_then(|key| there.get(key).map(|record| (key, record.clone())));
        if let Some((base, None)) = base {
            there.insert(variant.key.clone(), None);
            let version = run.until_cancelled(version_of(run, context, options, variant, &published)).await??;
            planned.push(PlannedImage::WaitsFor { key: variant.key.clone(), base: base.clone(), version });
            continue;
        }
        let base = base.and_then(|(_, record)| record);
        let decided = run.until_cancelled(decide(run, context, options, &draft, base.as_ref(), &published)).await??;
        let reused = match &decided.decision {
            Decision::Reuse { image } => Some(image.clone()),
            Decision::Reregister { .. } | Decision::Bake { .. } => None,
        };
        there.insert(variant.key.clone(), reused);
        let plan = decided.plan;
        let retires = plan.settings.distribution.wanted && !plan.settings.retention.is_none();
        let retiring = if retires {
            // A reused version is among those that are there.
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
            deploying: deploy::places(context, &plan.settings.deployments),
            plan: Box::new(plan),
        });
    }
    Ok(planned)
}
