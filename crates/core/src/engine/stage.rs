//! The stages of an image, emitted as events.

use std::future::Future;

use crate::error::Result;
use crate::event::{Event, Stage};
use crate::failure::Failure;
use crate::run::Run;

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
