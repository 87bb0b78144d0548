//! `expect: {port: …}`.

use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::{Result, Run};

use crate::poll::Observation;
use crate::shell::ask;

/// Whether the port listens as it should.
pub(super) async fn look(
    run: &Run,
    on: &ConnectedMachine<'_>,
    host: Option<&str>,
    port: u16,
    open: bool,
) -> Result<Observation> {
    let host = host.unwrap_or("127.0.0.1");
    let listens = on.communicator.dial(host, port).await.is_ok();
    if !open && !listens {
        // A lost connection looks like a closed port: check that the machine still answers.
        ask(run, on, "check that the machine answers", "true").await?;
    }
    Ok(match (open, listens) {
        (true, true) | (false, false) => Observation::Met,
        (true, false) => {
            Observation::unmet(format!("expected port {port} of {host} to be open, but could not connect"))
        }
        (false, true) => {
            Observation::unmet(format!("expected port {port} of {host} to be closed, but it accepted a connection"))
        }
    })
}
