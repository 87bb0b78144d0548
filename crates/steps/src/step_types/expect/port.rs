//! `expect: {port: …}`.

use std::net::IpAddr;

use ami_bake_core::communicator::DialError;
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result, Run};

use crate::poll::Observation;
use crate::shell::ask;

/// Checks whether the port listens.
///
/// # Errors
/// When the check was not possible, which means neither an open nor a closed port.
pub(super) async fn look(
    run: &Run,
    on: &ConnectedMachine<'_>,
    host: Option<&str>,
    port: u16,
    open: bool,
) -> Result<Observation> {
    let host = host.unwrap_or("127.0.0.1");
    let what = || format!("check port {port} of {host}");
    let listens = match on.communicator.dial(host, port).await {
        Ok(_) => true,
        Err(DialError::Closed(_)) => false,
        Err(DialError::Untried(error)) => return Err(untried(&what(), error)),
    };
    if !open && !listens && on.communicator.runs_commands() {
        // A lost connection looks like a closed port: check that the machine still answers.
        ask(run, on, "check that the machine answers", "true").await?;
        // So does a host name that does not resolve, which an SSH server does not report differently.
        if host.parse::<IpAddr>().is_err() {
            let script = format!("command -v getent >/dev/null || exit 0; getent hosts {}", quote(host));
            if ask(run, on, "look up the host", &script).await?.status != 0 {
                return Err(untried(&what(), Error::build(format!("the machine knows no address of {host}"))));
            }
        }
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

/// The error for an assertion that could not be checked.
pub(super) fn untried(what: &str, error: Error) -> Error {
    let help = error.help_text().map(str::to_owned);
    let failed = Error::build(format!("{what}: a connection could not be tried")).because(error);
    match help {
        Some(help) => failed.help(help),
        None => failed,
    }
}
