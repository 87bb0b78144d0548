//! Runs the steps of one phase: attempts, consequences of failures, and output.

use std::time::Duration;

use crate::engine::options::BakeContext;
use crate::engine::output::StepOutput;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, StepOutcome};
use crate::failure::Failure;
use crate::machine::ConnectedMachine;
use crate::plan::{OnFailure, Phase, Step};
use crate::run::Run;

/// Pause before a step is retried.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// Runs the steps in order.
///
/// # Errors
/// The first failure that the manifest does not ignore, with the error kind of the phase.
pub(super) async fn run_phase(
    run: &Run,
    context: &BakeContext,
    on: &ConnectedMachine<'_>,
    phase: Phase,
    steps: &[Step],
) -> Result<()> {
    let mut first_failure = None;
    for (index, step) in steps.iter().enumerate() {
        let Err(error) = run_step(run, context, on, phase, index, step).await else { continue };
        let error = as_phase(error, phase, step);
        match step.on_failure {
            _ if error.kind() == ErrorKind::Cancelled => return Err(error),
            OnFailure::Abort => return Err(first_failure.unwrap_or(error)),
            OnFailure::Continue => _ = first_failure.get_or_insert(error),
            OnFailure::Ignore => {}
        }
    }
    first_failure.map_or(Ok(()), Err)
}

async fn run_step(
    run: &Run,
    context: &BakeContext,
    on: &ConnectedMachine<'_>,
    phase: Phase,
    index: usize,
    step: &Step,
) -> Result<()> {
    let mut attempt = 1;
    loop {
        run.check()?;
        run.emit(Event::StepStarted { phase, index, name: step.name.clone(), attempt });
        let begun = run.clock().elapsed();
        let mut output = StepOutput::new(run, phase, index, attempt);
        let result = run.until_cancelled(context.provisioner.apply(run, on, step, &mut output)).await.flatten();
        output.finish();
        let retry = attempt <= step.retries && !run.cancel.is_cancelled();
        let outcome = match &result {
            Ok(()) => StepOutcome::Passed,
            Err(error) if retry => StepOutcome::Retrying(Failure::from(error)),
            Err(error) if step.on_failure == OnFailure::Ignore => StepOutcome::Ignored(Failure::from(error)),
            Err(error) => StepOutcome::Failed(Failure::from(error)),
        };
        let took = run.clock().elapsed().saturating_sub(begun);
        run.emit(Event::StepFinished { phase, index, outcome, took });
        if result.is_ok() || !retry {
            return result;
        }
        run.sleep(RETRY_PAUSE).await?;
        attempt += 1;
    }
}

/// Gives a step's error the kind of its phase (test steps have their own exit code) and the step's line in the
/// manifest.
fn as_phase(error: Error, phase: Phase, step: &Step) -> Error {
    let error = if error.route().is_none() { error.at(step.route.clone()) } else { error };
    match (error.kind(), phase) {
        (ErrorKind::Build, Phase::Test) => error.into_kind(ErrorKind::Test),
        _ => error,
    }
}
