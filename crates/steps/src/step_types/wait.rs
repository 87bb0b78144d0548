//! The step type `wait`.

use std::time::Duration;

use ami_bake_core::duration::human;
use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::{Step, WaitFor, WaitStep};
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result, Run};
use async_trait::async_trait;

use super::expect::execute;
use crate::poll::{ATTEMPT, Observation, PollLimits, poll};
use crate::shell::ask;
use crate::step_type::StepType;
use crate::text::excerpt;

/// Default interval between two attempts.
const INTERVAL: Duration = Duration::from_secs(1);
/// Default time limit.
const LIMIT: Duration = Duration::from_mins(5);

#[async_trait]
impl StepType for WaitStep {
    async fn apply(&self, run: &Run, on: &ConnectedMachine<'_>, step: &Step, _: &mut dyn OutputSink) -> Result<()> {
        wait(run, on, step, &self.until, self.interval).await
    }
}

/// Waits until the condition holds.
///
/// # Errors
/// When it never held; the error has the last result.
async fn wait(
    run: &Run,
    on: &ConnectedMachine<'_>,
    step: &Step,
    until: &WaitFor,
    interval: Option<Duration>,
) -> Result<()> {
    let total = step.timeout.unwrap_or(LIMIT);
    let look = || async move {
        Ok(match until {
            WaitFor::Port(port) => match on.communicator.dial("127.0.0.1", *port).await {
                Ok(_) => Observation::Met,
                Err(error) => Observation::unmet(excerpt(error.into_error().message(), 200)),
            },
            WaitFor::File(path) => {
                let answer = ask(run, on, "look for the file", &format!("[ -e {} ]", quote(path))).await?;
                if answer.status == 0 { Observation::Met } else { Observation::unmet("it does not exist".to_owned()) }
            }
            WaitFor::Command(text) => {
                let outcome = execute(run, on, step, text, total).await?;
                if outcome.exit.success() { Observation::Met } else { Observation::unmet(outcome.describe()) }
            }
        })
    };
    let attempt = if matches!(until, WaitFor::Command(_)) { PollLimits::command(total) } else { ATTEMPT };
    let limits = PollLimits { interval: interval.unwrap_or(INTERVAL), total, attempt };
    let Some((unmet, spent)) = poll(run, &limits, look).await? else { return Ok(()) };
    let what = match until {
        WaitFor::Port(port) => format!("nothing listened on port {port} of the machine"),
        WaitFor::File(path) => format!("`{path}` did not appear on the machine"),
        WaitFor::Command(text) => format!("the command `{}` did not exit with 0", excerpt(text, 80)),
    };
    Err(Error::build(format!("step `{}`: {what} within {}; last result: {}", step.name, human(spent), unmet.fact))
        .help("Raise `timeout`, or check the logs of what should answer.")
        .at(step.route.clone()))
}
