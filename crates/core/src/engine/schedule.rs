//! Bakes all images of a run side by side, each as soon as its base is available.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::watch;

use crate::engine::clean_up::{clean_up, clean_up_image, finish, keep_image};
use crate::engine::decide::{Base, decide};
use crate::engine::deploy::deploy;
use crate::engine::image::{bake_image, publish_again, reregister};
use crate::engine::options::{BakeContext, Options};
use crate::engine::owner::owned;
use crate::engine::published::Published;
use crate::engine::stage::{stage, started};
use crate::error::{Error, ErrorKind, Result, UNCLEAN};
use crate::event::{Decision, Event, Stage};
use crate::failure::Failure;
use crate::image::ImageRecord;
use crate::plan::{Draft, ImageKey, ImagePlan, Variant};
use crate::run::Run;

/// Time for the images of a cancelled run to stop before the deletes are sent (2 s in all).
const NOTICE: Duration = Duration::from_millis(500);

/// Result of an image, for the images that are built on it.
#[derive(Debug, Clone)]
enum BaseOutcome {
    Open,
    Image(Box<Base>),
    NoImage,
}

type BaseOutcomes = HashMap<ImageKey, watch::Sender<BaseOutcome>>;

/// State that the images of a run share.
struct Siblings {
    outcomes: BaseOutcomes,
    published: Published,
}

/// Bakes every variant of the recipe and returns the exit code; all other results are emitted as events.
pub async fn bake(run: &Run, context: &BakeContext, options: &Options) -> u8 {
    let drafts = Arc::clone(&context.recipe).drafts();
    started(run, context, drafts.iter().map(|draft| draft.variant.key.clone()).collect());
    let siblings = Siblings {
        outcomes: drafts.iter().map(|draft| (draft.variant.key.clone(), watch::channel(BaseOutcome::Open).0)).collect(),
        published: Published::for_images(drafts.len()),
    };
    let all = join_all(drafts.iter().map(|draft| one(run, context, options, draft, &siblings)));
    let all = owned(run, context.platform.as_ref(), all);
    tokio::pin!(all);
    let results = tokio::select! {
        results = &mut all => results,
        () = noticed(run) => Vec::new(),
    };
    if run.cancel.is_cancelled() {
        clean_up(run, context.platform.as_ref()).await;
        return ErrorKind::Cancelled.exit_code();
    }
    let kept = options.keep_on_failure.is_some() && results.iter().any(Result::is_err);
    let clean = finish(run, context.platform.as_ref(), kept).await;
    let built = results.iter().any(|result| matches!(result, Ok(true)));
    exit_code(results.into_iter().filter_map(Result::err).map(|error| error.kind()), built, clean)
}

/// Completes a while after the run was cancelled. Calls that still hang by then are left to the ledger.
async fn noticed(run: &Run) {
    run.cancel.cancelled().await;
    run.clock().sleep(NOTICE).await;
}

/// The exit code for several failures: the lowest code that is 4 or more, else the highest. Code 4 means that nothing
/// was built; if something was `built`, another failure decides, or 5. Without failures the code depends on whether the
/// run left resources.
pub(super) fn exit_code(kinds: impl Iterator<Item = ErrorKind>, built: bool, clean: bool) -> u8 {
    let codes: Vec<u8> = kinds.map(ErrorKind::exit_code).collect();
    let preflight = ErrorKind::Preflight.exit_code();
    let later = codes.iter().copied().filter(|code| *code > preflight).min();
    let early = codes.iter().copied().max();
    match (later, early) {
        (None, Some(code)) if code == preflight && built => ErrorKind::Build.exit_code(),
        (Some(code), _) | (None, Some(code)) => code,
        (None, None) if clean => 0,
        (None, None) => UNCLEAN,
    }
}

/// Bakes one image; true when it was baked rather than reused.
async fn one(run: &Run, context: &BakeContext, options: &Options, draft: &Draft, siblings: &Siblings) -> Result<bool> {
    let variant = &draft.variant;
    let outcomes = &siblings.outcomes;
    let run = &run.for_image(&variant.key);
    let base = match base_of(variant, outcomes).await {
        Ok(base) => base,
        Err(failed) => {
            announce(outcomes, &variant.key, BaseOutcome::NoImage);
            let failure = Error::build(format!("{failed}, which it is built on, failed"));
            run.emit(Event::ImageFinished {
                image: None,
                reused: false,
                failure: Some(Failure::from(&failure)),
                skipped: true,
            });
            // The base's own failure decides the exit code.
            return Ok(false);
        }
    };
    let made = Box::pin(decide_and_bake(run, context, options, draft, base.as_ref(), &siblings.published)).await;
    let image = made.as_ref().ok().and_then(|made| made.image.clone());
    let same = made.as_ref().map(|made| made.same.clone()).unwrap_or_default();
    // Images built on this one need not wait until it has been published everywhere.
    announce(
        outcomes,
        &variant.key,
        image.clone().map_or(BaseOutcome::NoImage, |image| BaseOutcome::Image(Box::new(Base { image, same }))),
    );
    let reused = made.as_ref().is_ok_and(|made| made.reused);
    let built = made.is_ok() && !reused;
    let result = match (made, &image) {
        (Ok(made), Some(image)) if !options.until_validate => {
            deploy(run, context, &made.plan, image, options.force).await
        }
        (made, _) => made.map(|_| ()),
    };
    if result.is_err() && !run.cancel.is_cancelled() {
        if options.keep_on_failure.is_some() {
            keep_image(run, &variant.key);
        } else {
            clean_up_image(run, context.platform.as_ref(), &variant.key).await;
        }
    }
    let failure = result.as_ref().err().map(Failure::from);
    run.emit(Event::ImageFinished { image, reused, failure, skipped: false });
    result.map(|()| built)
}

/// Result of baking one image.
struct Made {
    /// The plan with its final version.
    plan: ImagePlan,
    /// The image; `None` with `until_validate`.
    image: Option<ImageRecord>,
    /// True when the image existed before.
    reused: bool,
    /// Other versions with the same content.
    same: Vec<ImageRecord>,
}

/// Waits for the image of this run that `variant` is built on.
///
/// # Errors
/// The key of the base that failed.
async fn base_of(variant: &Variant, outcomes: &BaseOutcomes) -> Result<Option<Base>, ImageKey> {
    let Some(key) = &variant.after else { return Ok(None) };
    // The base is not selected in this run: it is looked up among the published images.
    let Some(sender) = outcomes.get(key) else { return Ok(None) };
    let mut receiver = sender.subscribe();
    let outcome = receiver.wait_for(|outcome| !matches!(outcome, BaseOutcome::Open)).await;
    match outcome.as_deref() {
        Ok(BaseOutcome::Image(base)) => Ok(Some(base.as_ref().clone())),
        _ => Err(key.clone()),
    }
}

fn announce(outcomes: &BaseOutcomes, key: &ImageKey, outcome: BaseOutcome) {
    if let Some(sender) = outcomes.get(key) {
        sender.send_replace(outcome);
    }
}

async fn decide_and_bake(
    run: &Run,
    context: &BakeContext,
    options: &Options,
    draft: &Draft,
    base: Option<&Base>,
    published: &Published,
) -> Result<Made> {
    let decided = stage(run, Stage::Source, async {
        run.until_cancelled(Box::pin(decide(run, context, options, draft, base, published))).await?
    })
    .await?;
    run.emit(Event::Planned {
        source: decided.plan.source.clone(),
        version: decided.plan.version.clone(),
        digest: decided.plan.digest.clone(),
        decision: decided.decision.clone(),
        inputs: decided.plan.parts.reported(),
    });
    let same = decided.same.clone();
    let (plan, image, reused) = match &decided.decision {
        Decision::Reuse { image } => {
            if !options.until_validate {
                publish_again(run, context, &decided.plan, image, options.force).await?;
            }
            (decided.plan, Some(image.clone()), true)
        }
        Decision::Reregister { image } => {
            let (plan, image) = reregister(run, context, options, &decided, image).await?;
            (plan, Some(image), true)
        }
        Decision::Bake { .. } => match bake_image(run, context, options, &decided).await? {
            Some((plan, image)) => (plan, Some(image), false),
            None => (decided.plan, None, false),
        },
    };
    Ok(Made { plan, image, reused, same })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_code_from_four_on_wins() {
        let code = |kinds: &[ErrorKind]| exit_code(kinds.iter().copied(), false, true);
        assert_eq!(code(&[]), 0);
        assert_eq!(code(&[ErrorKind::Test, ErrorKind::Build]), 5);
        assert_eq!(code(&[ErrorKind::Internal, ErrorKind::Publish]), 7);
        assert_eq!(code(&[ErrorKind::Manifest]), 3);
    }

    #[test]
    fn four_means_that_nothing_was_built() {
        let code = |kinds: &[ErrorKind], built| exit_code(kinds.iter().copied(), built, true);
        assert_eq!(code(&[ErrorKind::Preflight, ErrorKind::Internal], false), 4);
        assert_eq!(code(&[ErrorKind::Preflight], true), 5);
        assert_eq!(code(&[ErrorKind::Preflight, ErrorKind::Test], false), 6);
    }

    #[test]
    fn what_is_left_shows_only_without_a_failure() {
        assert_eq!(exit_code([].into_iter(), true, false), UNCLEAN);
        assert_eq!(exit_code([ErrorKind::Deploy].into_iter(), true, false), 8);
    }
}
