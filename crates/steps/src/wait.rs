//! The verb `wait`.

use std::time::Duration;

use ami_bake_core::duration::human;
use ami_bake_core::plan::{Step, WaitFor};
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result, Run};

use crate::expect::command;
use crate::poll::{LOOK, Patience, Seen, poll};
use crate::shell::ask;
use crate::text::excerpt;

/// Time between two looks where nothing is said.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long is waited where nothing is said.
const LIMIT: Duration = Duration::from_mins(5);

/// Waits until it answers.
///
/// # Errors
/// When it never did, with what was seen last.
pub(crate) async fn wait(
    run: &Run,
    on: &ConnectedMachine<'_>,
    step: &Step,
    until: &WaitFor,
    interval: Option<Duration>,
) -> Result<()> {
    let limit = step.timeout.unwrap_or(LIMIT);
    let look = || async move {
        Ok(match until {
            WaitFor::Port(port) => match on.communicator.dial("127.0.0.1", *port).await {
                Ok(_) => Seen::Holds,
                Err(error) => Seen::Not(excerpt(error.message(), 200)),
            },
            WaitFor::File(path) => {
                let answer = ask(run, on, "look for the file", &format!("[ -e {} ]", quote(path))).await?;
                if answer.status == 0 { Seen::Holds } else { Seen::Not("it is not there".to_owned()) }
            }
            WaitFor::Command(text) => {
                let outcome = command::execute(run, on, step, text, limit).await?;
                if outcome.exit.success() { Seen::Holds } else { Seen::Not(outcome.describe(run)) }
            }
        })
    };
    let one = if matches!(until, WaitFor::Command(_)) { Patience::command(limit) } else { LOOK };
    let patience = Patience { interval: interval.unwrap_or(INTERVAL), limit, look: one };
    let Some(last) = poll(run, &patience, look).await? else { return Ok(()) };
    let what = match until {
        WaitFor::Port(port) => format!("nothing listened at port {port} of the machine"),
        WaitFor::File(path) => format!("`{path}` did not appear on the machine"),
        WaitFor::Command(text) => format!("the command `{}` did not exit with 0", excerpt(text, 80)),
    };
    Err(Error::build(format!("step `{}`: {what} within {}; at last: {}", step.name, human(last.spent), last.fact))
        .help("Give it longer with `timeout`, or look into the logs of what should answer.")
        .at(step.route.clone()))
}
