//! Tests an existing image with a manifest's tests.

use std::sync::Arc;

use semver::Version;

use crate::engine::clean_up::{clean_up, clean_up_image, finish};
use crate::engine::image::test_candidate;
use crate::engine::options::{BakeContext, Options};
use crate::engine::owner::owned;
use crate::engine::schedule::exit_code;
use crate::engine::stage::{stage, started};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Stage};
use crate::failure::Failure;
use crate::plan::{Draft, ImageKey, SourceQuery};
use crate::run::Run;

/// Boots the image `id`, runs the test steps of `key`, and returns the exit code; all other results are emitted as
/// events.
pub async fn test(run: &Run, context: &BakeContext, options: &Options, key: &ImageKey, id: &str) -> u8 {
    started(run, context, vec![key.clone()]);
    let work = run.for_image(key);
    let work = run.until_cancelled(test_image(&work, context, options, key, id));
    let result = Box::pin(owned(run, context.platform.as_ref(), work)).await.flatten();
    let failure = result.as_ref().err().map(Failure::from);
    run.for_image(key).emit(Event::ImageFinished { image: None, reused: true, failure, skipped: false });
    if run.cancel.is_cancelled() {
        clean_up(run, context.platform.as_ref()).await;
        return ErrorKind::Cancelled.exit_code();
    }
    let kept = options.keep_on_failure.is_some() && result.is_err();
    if !kept {
        clean_up_image(run, context.platform.as_ref(), key).await;
    }
    let clean = finish(run, context.platform.as_ref(), kept).await;
    exit_code(result.err().map(|error| error.kind()).into_iter(), false, clean)
}

async fn test_image(run: &Run, context: &BakeContext, options: &Options, key: &ImageKey, id: &str) -> Result<()> {
    let query = SourceQuery::Id(id.to_owned());
    let image = stage(run, Stage::Source, context.platform.find_source(run, &query)).await?;
    let version = image.version.clone().unwrap_or(Version::new(0, 0, 0));
    let plan = draft(context, key)?.resolve(image.clone()).await?.at(&version)?;
    stage(run, Stage::Test, test_candidate(run, context, options, &plan, &image)).await
}

/// The draft of the image whose tests are to be run.
fn draft(context: &BakeContext, key: &ImageKey) -> Result<Draft> {
    let mut drafts = Arc::clone(&context.recipe).drafts().into_iter();
    drafts
        .find(|draft| draft.variant.key == *key)
        .ok_or_else(|| Error::internal(format!("the manifest has no image {key} to test")))
}
