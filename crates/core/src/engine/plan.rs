//! What a bake would do, without doing it.

use std::collections::HashMap;

use serde::Serialize;

use crate::engine::decide::{decide, version_of};
use crate::engine::deploy;
use crate::engine::options::{Options, Rooms};
use crate::engine::published::Published;
use crate::error::Result;
use crate::event::Decision;
use crate::plan::{Digest, ImageKey, SourceImage};
use crate::platform::{ImageRecord, Superseded};
use crate::run::Run;

/// What a bake would do with one image.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlannedImage {
    /// Everything is known.
    Decided {
        /// Image and leg.
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
        /// Versions that retention would take away once this one is registered, with what holds each.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        retiring: Vec<Superseded>,
        /// What it would be deployed to, in order.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        deploying: Vec<String>,
    },
    /// It is baked, since what it is built on is; the rest is known only then.
    WaitsFor {
        /// Image and leg.
        key: ImageKey,
        /// The image that it is built on.
        base: ImageKey,
        /// The version, unless what is published changes before.
        version: semver::Version,
    },
}

/// Decides for every leg in order.
///
/// # Errors
/// The first leg that can't be planned.
pub async fn plan(run: &Run, rooms: &Rooms, options: &Options) -> Result<Vec<PlannedImage>> {
    let mut there: HashMap<ImageKey, Option<ImageRecord>> = HashMap::new();
    let mut planned = Vec::new();
    let legs = rooms.recipe.legs();
    let published = Published::for_images(legs.len());
    for leg in legs {
        let base = leg.after.as_ref().and_then(|key| there.get(key).map(|record| (key, record.clone())));
        if let Some((base, None)) = base {
            there.insert(leg.key.clone(), None);
            let version = run.until_cancelled(version_of(run, rooms, options, &leg, &published)).await??;
            planned.push(PlannedImage::WaitsFor { key: leg.key.clone(), base: base.clone(), version });
            continue;
        }
        let base = base.and_then(|(_, record)| record);
        let decided = run.until_cancelled(decide(run, rooms, options, &leg, base.as_ref(), &published)).await??;
        let reused = match &decided.decision {
            Decision::Reuse { image } => Some(image.clone()),
            Decision::Reregister { .. } | Decision::Bake { .. } => None,
        };
        there.insert(leg.key.clone(), reused);
        let plan = decided.plan;
        let retires = !matches!(decided.decision, Decision::Reuse { .. })
            && plan.settings.distribution.wanted
            && !plan.settings.retention.is_none();
        let retiring =
            if retires { run.until_cancelled(rooms.platform.superseded(run, &plan, true)).await?? } else { Vec::new() };
        planned.push(PlannedImage::Decided {
            key: leg.key,
            name: plan.settings.name,
            source: Box::new(plan.source),
            version: plan.version,
            digest: plan.digest,
            decision: Box::new(decided.decision),
            steps: [plan.build.len(), plan.validate.len(), plan.test.len()],
            retiring,
            deploying: deploy::places(rooms, &plan.settings.deployments),
        });
    }
    Ok(planned)
}
