//! Publishes and deploys existing images: after a failed publication, or to another environment.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use semver::Version;

use crate::engine::clean_up::{clean_up, clean_up_image, finish};
use crate::engine::deploy::{self, deploy};
use crate::engine::image::publish_again;
use crate::engine::options::{BakeContext, Options};
use crate::engine::owner::owned;
use crate::engine::schedule::exit_code;
use crate::engine::stage::{stage, started};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Decision, Event, Stage};
use crate::failure::Failure;
use crate::image::ImageRecord;
use crate::plan::{Digest, Draft, ImageKey, ImagePlan, SourceImage};
use crate::platform::ImageQuery;
use crate::run::Run;
use crate::tags;

/// Selection of the images to publish.
#[derive(Debug, Clone)]
pub enum Chosen {
    /// All selected images in this version.
    Version(Version),
    /// These images, by the platform's ID; selected images that are not listed are skipped.
    Ids(BTreeMap<ImageKey, String>),
}

/// The operation on tested images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Publish: copy and share the images.
    Publish,
    /// Deploy: move launch templates and groups to the images.
    Deploy,
    /// Publish, then deploy.
    Promote,
}

impl Work {
    /// True when this operation would do nothing for an image of this version: the manifest neither copies, shares nor
    /// deploys it.
    fn has_nothing_to_do(self, draft: &Draft, version: &Version) -> bool {
        // An expression that needs the source fails here; the image is then looked up and the expression evaluated with
        // its source.
        let Ok(plan) = draft.existing(&SourceImage::default(), version, &Digest::from_text("")) else { return false };
        let stays = plan.settings.distribution.wanted && !plan.settings.goes_further();
        let runs_nowhere = plan.settings.deployments.is_empty();
        match self {
            Self::Publish => stays,
            Self::Deploy => runs_nowhere,
            Self::Promote => stays && runs_nowhere,
        }
    }

    fn nothing(self) -> &'static str {
        match self {
            Self::Publish => "nothing to publish",
            Self::Deploy => "nothing to deploy",
            Self::Promote => "nothing to publish or deploy",
        }
    }
}

/// Publishes or deploys tested images according to the current recipe, and returns the exit code. Work that is already
/// done is not repeated.
pub async fn publish(run: &Run, context: &BakeContext, options: &Options, chosen: &Chosen, work: Work) -> u8 {
    let drafts = Arc::clone(&context.recipe).drafts().into_iter();
    let drafts: Vec<Draft> = drafts.filter(|draft| chosen.is_meant(&draft.variant.key)).collect();
    let (drafts, idle) = chosen.with_work(drafts, work);
    started(run, context, drafts.iter().map(|draft| draft.variant.key.clone()).collect());
    for draft in idle {
        run.for_image(&draft.variant.key).progress(format!("Skipping: {}", work.nothing()));
    }
    let all = join_all(drafts.iter().map(|draft| one(run, context, options, draft, chosen, work)));
    let results = owned(run, context.platform.as_ref(), all).await;
    if run.cancel.is_cancelled() {
        clean_up(run, context.platform.as_ref()).await;
        return ErrorKind::Cancelled.exit_code();
    }
    let clean = finish(run, context.platform.as_ref(), false).await;
    exit_code(results.into_iter().filter_map(Result::err).map(|error| error.kind()), false, clean)
}

impl Chosen {
    fn is_meant(&self, key: &ImageKey) -> bool {
        match self {
            Self::Version(_) => true,
            Self::Ids(ids) => ids.contains_key(key),
        }
    }

    /// Splits the images of a version into those with something to do and those without: an image that others are built on
    /// has its own versions, and is skipped unless it is published or deployed itself. If none has anything to do, none is
    /// skipped, so that each of them says why.
    fn with_work(&self, drafts: Vec<Draft>, work: Work) -> (Vec<Draft>, Vec<Draft>) {
        let Self::Version(version) = self else { return (drafts, Vec::new()) };
        let (busy, idle): (Vec<Draft>, Vec<Draft>) =
            drafts.into_iter().partition(|draft| !work.has_nothing_to_do(draft, version));
        if busy.is_empty() { (idle, busy) } else { (busy, idle) }
    }

    fn is_it(&self, image: &ImageRecord) -> bool {
        match self {
            Self::Version(version) => image.version == *version,
            Self::Ids(ids) => ids.get(&image.key) == Some(&image.id),
        }
    }

    fn in_words(&self, key: &ImageKey) -> String {
        match self {
            Self::Version(version) => format!("{key} {version}"),
            Self::Ids(ids) => format!("{key} {}", ids.get(key).map_or("", String::as_str)),
        }
    }
}

async fn one(
    run: &Run,
    context: &BakeContext,
    options: &Options,
    draft: &Draft,
    chosen: &Chosen,
    work: Work,
) -> Result<()> {
    let variant = &draft.variant;
    let run = &run.for_image(&variant.key);
    let found = stage(run, Stage::Source, async {
        run.until_cancelled(find(run, context, draft, chosen, work)).await.flatten()
    })
    .await;
    let (image, result) = match found {
        Err(error) => (None, Err(error)),
        Ok((plan, image)) => {
            run.emit(Event::Planned {
                source: plan.source.clone(),
                version: plan.version.clone(),
                digest: image.digest.clone(),
                decision: Decision::Reuse { image: image.clone() },
                inputs: Vec::new(),
            });
            run.emit(Event::Registered { image: image.clone() });
            let result = carry_out(run, context, options.force, &plan, &image, work).await;
            (Some(image), result)
        }
    };
    if result.is_err() && !run.cancel.is_cancelled() {
        clean_up_image(run, context.platform.as_ref(), &variant.key).await;
    }
    let failure = result.as_ref().err().map(Failure::from);
    run.emit(Event::ImageFinished { image, reused: true, failure, skipped: false });
    result
}

async fn carry_out(
    run: &Run,
    context: &BakeContext,
    force: bool,
    plan: &ImagePlan,
    image: &ImageRecord,
    work: Work,
) -> Result<()> {
    if work != Work::Deploy {
        publish_again(run, context, plan, image, force).await?;
    }
    if work != Work::Publish {
        deploy(run, context, plan, image, force).await?;
    }
    Ok(())
}

/// Finds the tested image, and plans its publication.
async fn find(
    run: &Run,
    context: &BakeContext,
    draft: &Draft,
    chosen: &Chosen,
    work: Work,
) -> Result<(ImagePlan, ImageRecord)> {
    let variant = &draft.variant;
    let doing = if work == Work::Deploy { "deploy" } else { "publish" };
    let query = ImageQuery {
        namespace: Some(context.recipe.namespace().to_owned()),
        key: Some(variant.key.clone()),
        owner: None,
    };
    let all = context.platform.images(run, &query).await?;
    let Some(image) = all.into_iter().find(|image| chosen.is_it(image)) else {
        return Err(Error::preflight(format!("could not {doing} {}: image not found", chosen.in_words(&variant.key)))
            .help(match context.platform.region() {
                Some(_) => "`ami-bake images` lists the images that exist. Check --region and the manifest's `name`.",
                None => "`ami-bake images` lists the images that exist here. Check the manifest's `name`, or bake the image again.",
            }));
    };
    if image.tested.is_none() || !image.available {
        return Err(Error::preflight(format!(
            "could not {doing} {}: {} is not tested",
            chosen.in_words(&variant.key),
            image.id
        ))
        .help("Only tested images can be published; bake it first."));
    }
    let plan = draft.existing(&source_of(&image), &image.version, &image.digest)?;
    if work != Work::Publish {
        if plan.settings.deployments.is_empty() && work == Work::Deploy {
            run.warn(format!("`{}` has no `deploy` section", variant.key), None);
        }
        deploy::preflight(run, context, &plan).await?;
    }
    if work == Work::Deploy {
        return Ok((plan, image));
    }
    if !plan.settings.distribution.wanted {
        run.warn(
            format!("{} {} is not published: its `publish.if` is false", variant.key, image.version),
            Some("Without `publish.if`, pre-release versions are not published.".to_owned()),
        );
    }
    if work == Work::Publish && plan.settings.distribution.wanted && !plan.settings.goes_further() {
        run.warn(
            format!("{} {} is not copied or shared: its `publish` lists no destinations", variant.key, image.version),
            Some("Add regions, accounts or a registry below `publish`.".to_owned()),
        );
    }
    if plan.settings.goes_further() {
        context.platform.preflight_publish(run, &plan).await?;
    }
    Ok((plan, image))
}

/// The source image that an image's tags record.
fn source_of(image: &ImageRecord) -> SourceImage {
    let tag = |key: &str| image.tags.get(key).cloned().unwrap_or_default();
    SourceImage {
        id: tag(tags::SOURCE),
        name: tag(tags::SOURCE_NAME),
        owner: tag(tags::SOURCE_OWNER),
        created: tag(tags::SOURCE_CREATED).parse().ok(),
        tags: BTreeMap::new(),
        architecture: image.architecture,
        identity: tag(tags::SOURCE),
        version: tag(tags::BASE_VERSION).parse().ok(),
    }
}
