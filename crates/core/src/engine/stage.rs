//! Emits the start of a run, and the start and end of its stages.

use std::future::Future;

use crate::engine::options::BakeContext;
use crate::error::{ErrorKind, Result};
use crate::event::{Event, Stage};
use crate::failure::Failure;
use crate::plan::ImageKey;
use crate::run::Run;

/// Emits the start of a run of these images.
pub(super) fn started(run: &Run, context: &BakeContext, images: Vec<ImageKey>) {
    run.emit(Event::RunStarted {
        run: run.id().to_owned(),
        namespace: context.recipe.namespace().to_owned(),
        platform: context.platform.capabilities().platform.to_owned(),
        region: context.platform.region(),
        images,
    });
}

/// Emits the start and end of a stage around `work`. Once a machine has been launched, failures have kinds that do not
/// mean "nothing was built".
pub(super) async fn stage<T>(run: &Run, stage: Stage, work: impl Future<Output = Result<T>>) -> Result<T> {
    run.check()?;
    run.emit(Event::StageStarted { stage });
    let begun = run.clock().elapsed();
    let result = work.await.map_err(|error| match kind(stage) {
        Some(kind) => error.after_build(kind),
        None => error,
    });
    run.emit(Event::StageFinished {
        stage,
        took: run.clock().elapsed().saturating_sub(begun),
        failure: result.as_ref().err().map(Failure::from),
    });
    result
}

/// The error kind for a failure in this stage; `None` for stages in which nothing may have been built yet. `ami-bake
/// test` begins with its test stage.
fn kind(stage: Stage) -> Option<ErrorKind> {
    match stage {
        Stage::Source | Stage::Launch | Stage::Test => None,
        Stage::Connect | Stage::Build | Stage::Validate | Stage::Seal | Stage::Capture => Some(ErrorKind::Build),
        Stage::Publish => Some(ErrorKind::Publish),
        Stage::Deploy => Some(ErrorKind::Deploy),
    }
}
