//! The start of a run and the stages of its images, emitted as events.

use std::future::Future;

use crate::engine::options::BakeContext;
use crate::error::Result;
use crate::event::{Event, Stage};
use crate::failure::Failure;
use crate::plan::ImageKey;
use crate::run::Run;

/// Emits the start of a run over these images.
pub(super) fn started(run: &Run, context: &BakeContext, images: Vec<ImageKey>) {
    run.emit(Event::RunStarted {
        run: run.id().to_owned(),
        namespace: context.recipe.namespace().to_owned(),
        platform: context.platform.capabilities().platform.to_owned(),
        region: context.platform.region(),
        images,
    });
}

/// Emits the start and the end of a stage around `work`.
pub(super) async fn stage<T>(run: &Run, stage: Stage, work: impl Future<Output = Result<T>>) -> Result<T> {
    run.check()?;
    run.emit(Event::StageStarted { stage });
    let begun = run.clock().elapsed();
    let result = work.await;
    run.emit(Event::StageFinished {
        stage,
        took: run.clock().elapsed().saturating_sub(begun),
        failure: result.as_ref().err().map(Failure::from),
    });
    result
}
