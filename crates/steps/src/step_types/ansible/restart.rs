//! A playbook's restarts of its machine: done by the machine itself, which knows how on its platform.

use std::time::Duration;

use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::{Error, Result, Run};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Time limit for one attempt to restore a lost connection; Ansible retries within its own limit.
const ATTEMPT: Duration = Duration::from_secs(15);
/// Least time for a restart: it is started even when the step's time is nearly over, so that its error explains the
/// failure.
const LEAST: Duration = Duration::from_secs(1);

/// What the playbook wants of its machine.
#[derive(Debug, Clone, Copy)]
pub(super) enum BootRequest {
    /// Another boot, within this time.
    Restart(Duration),
    /// A connection to whatever boot there is.
    Recover,
}

/// A wish, and who waits for it.
#[derive(Debug)]
pub(super) struct Request {
    /// What the playbook asks for.
    pub(super) wish: BootRequest,
    /// Where the answer goes: why it is not so, in words.
    pub(super) reply: oneshot::Sender<Result<(), String>>,
}

/// Serves the requests in turn, each within the step's deadline. Never returns.
pub(super) async fn fulfil(
    run: &Run,
    on: &ConnectedMachine<'_>,
    mut wishes: UnboundedReceiver<Request>,
    deadline: Option<Instant>,
) {
    let within = |limit: Duration| match deadline {
        Some(at) => limit.min(at.saturating_duration_since(Instant::now())).max(LEAST),
        None => limit,
    };
    while let Some(Request { wish, reply }) = wishes.recv().await {
        let done = match wish {
            BootRequest::Restart(limit) => on.machine.reboot(run, within(limit)).await,
            BootRequest::Recover => on.machine.recover(run, within(ATTEMPT)).await,
        };
        // A failed send means that the playbook has ended.
        let _ = reply.send(done.map_err(|error| words(&error)));
    }
    std::future::pending::<()>().await;
}

/// An error as a module would say it: what and why in the first line, what to do in the next.
fn words(error: &Error) -> String {
    let mut text = error.message().to_owned();
    for cause in error.causes() {
        text = format!("{text}: {cause}");
    }
    if let Some(help) = error.help_text() {
        text = format!("{text}\n{help}");
    }
    text
}
