//! The verb `expect`: assertions about a machine, polled until they hold.

mod account;
mod chunked;
pub(crate) mod command;
mod file;
mod http;
mod port;
mod request;
mod system;

use std::time::Duration;

use ami_bake_core::duration::human;
use ami_bake_core::plan::{Probe, Step};
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::{Error, Result, Run};

use crate::poll::{LOOK, Patience, poll};

/// How long an assertion may take to come true where nothing is said.
const LIMIT: Duration = Duration::from_mins(1);
/// Time between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Polls an assertion until it holds.
///
/// # Errors
/// What was expected, and what was found last.
pub(crate) async fn expect(run: &Run, on: &ConnectedMachine<'_>, step: &Step, probe: &Probe) -> Result<()> {
    let look = || async move {
        match probe {
            Probe::Http { .. } => http::look(run, on, probe).await,
            Probe::Port { host, port, open } => port::look(run, on, host.as_deref(), *port, *open).await,
            Probe::Service { name, running, enabled } => system::service(run, on, step, name, *running, *enabled).await,
            Probe::Package { name, version, installed } => {
                system::package(run, on, step, name, version.as_deref(), *installed).await
            }
            Probe::File { .. } => file::look(run, on, probe).await,
            Probe::User { .. } => account::look(run, on, probe).await,
            Probe::Command { .. } => command::look(run, on, step, probe).await,
        }
    };
    let limit = step.timeout.unwrap_or(LIMIT);
    let one = if matches!(probe, Probe::Command { .. }) { Patience::command(limit) } else { LOOK };
    let patience = Patience { interval: INTERVAL, limit, look: one };
    let Some(last) = poll(run, &patience, look).await? else { return Ok(()) };
    let more = last.more.map(|more| format!("; {more}")).unwrap_or_default();
    let message = format!("step `{}`: {} for {}{more}", step.name, last.fact, human(last.spent));
    let message = run.masker().mask(&message);
    Err(Error::build(message)
        .help("`--keep-on-failure` keeps the machine, so that you can look at it; `timeout` gives it longer than a minute.")
        .at(step.route.clone()))
}
