//! Restarts the machine for a playbook, with the platform's own method.

use std::time::Duration;

use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::{Error, Result, Run};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Time limit for one attempt to restore a lost connection; Ansible retries within its own limit.
const ATTEMPT: Duration = Duration::from_secs(15);
/// Minimum time limit for a restart: it is started even when the step's time is nearly over, so that its error explains
/// the failure.
const LEAST: Duration = Duration::from_secs(1);

/// What a playbook requests of its machine.
#[derive(Debug, Clone, Copy)]
pub(super) enum BootRequest {
    /// Another boot, within this time.
    Restart(Duration),
    /// A connection, whatever the boot.
    Recover,
}

/// A request, and who waits for it.
#[derive(Debug)]
pub(super) struct Request {
    /// The request.
    pub(super) wish: BootRequest,
    /// Channel for the answer; the error is the reason, as text.
    pub(super) reply: oneshot::Sender<Result<(), String>>,
}

/// Serves the requests in order, each within the step's deadline. Never returns.
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

/// An error in the form of a module's message: what and why on the first line, what to do on the next.
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
