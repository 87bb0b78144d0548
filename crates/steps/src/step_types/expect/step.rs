//! Applies an `expect` step: one probe, retried until it holds.

use std::time::Duration;

use ami_bake_core::duration::human;
use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::{Expectation, Probe, Step};
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::{Error, Result, Run};
use async_trait::async_trait;

use super::{account, command, file, http, port, system};
use crate::poll::{ATTEMPT, PollLimits, poll};
use crate::step_type::StepType;

/// Default time limit for an assertion.
const LIMIT: Duration = Duration::from_mins(1);
/// Interval between two attempts.
const INTERVAL: Duration = Duration::from_secs(1);
/// Help for an assertion without further information.
const HELP: &str =
    "`--keep-on-failure` keeps the machine running so that you can look at it; a longer `timeout` gives it more time.";

#[async_trait]
impl StepType for Expectation {
    async fn apply(&self, run: &Run, on: &ConnectedMachine<'_>, step: &Step, _: &mut dyn OutputSink) -> Result<()> {
        expect(run, on, step, &self.probe).await
    }

    async fn preflight(&self, _: &Run, steps: &[&Step]) -> Result<()> {
        steps.iter().try_for_each(|step| http::preflight(step))
    }
}

/// Retries an assertion until it holds.
async fn expect(run: &Run, on: &ConnectedMachine<'_>, step: &Step, probe: &Probe) -> Result<()> {
    let total = step.timeout.unwrap_or(LIMIT);
    let look = || async move {
        match probe {
            Probe::Http(probe) => http::look(run, on, probe).await,
            Probe::Port { host, port, open } => port::look(run, on, host.as_deref(), *port, *open).await,
            Probe::Service { name, running, enabled } => system::service(run, on, step, name, *running, *enabled).await,
            Probe::Package { name, version, installed } => {
                system::package(run, on, step, name, version.as_deref(), *installed).await
            }
            Probe::File { .. } => file::look(run, on, probe).await,
            Probe::User { .. } => account::look(run, on, probe).await,
            Probe::Command { .. } => command::look(run, on, step, probe, total).await,
        }
    };
    let attempt = if matches!(probe, Probe::Command { .. }) { PollLimits::command(total) } else { ATTEMPT };
    let limits = PollLimits { interval: INTERVAL, total, attempt };
    let found = poll(run, &limits, look).await;
    if matches!(probe, Probe::Http(_) | Probe::Port { .. })
        && let Some(detour) = on.communicator.detour()
    {
        run.progress(format!("Connected {detour}"));
    }
    let Some((unmet, spent)) =
        found.map_err(|error| if error.route().is_some() { error } else { error.at(step.route.clone()) })?
    else {
        return Ok(());
    };
    let detail = unmet.detail.map(|detail| format!("; {detail}")).unwrap_or_default();
    let message = format!("step `{}`: {} for {}{detail}", step.name, unmet.fact, human(spent));
    Err(Error::build(run.masker().mask(&message)).help(unmet.help.unwrap_or(HELP)).at(step.route.clone()))
}
