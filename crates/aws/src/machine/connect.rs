//! Connects to a launched machine until commands run as root.

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::duration::human;
use ami_bake_core::{Error, ErrorKind, Result, Run};
use ami_bake_ssh::Ssh;

use super::handle::AwsMachine;
use super::refusal::help_end;
use super::{boot, console, types};

/// Lines of the console that are shown when a machine can't be reached.
const TAIL: usize = 25;

/// Waits until the machine is reachable and its first boot has finished.
pub(crate) async fn connect(machine: &AwsMachine, run: &Run) -> Result<Arc<Ssh>> {
    if let Some(ssh) = machine.communicator() {
        return Ok(ssh);
    }
    let metal = types::metal(&machine.launched.kind);
    let dial = machine.with_state(|state| state.dial.take());
    let mut dial = match dial {
        Some(dial) => dial,
        None => machine.access.dial(machine.client(), run, &machine.instance(), metal),
    };
    let limit = machine.access.limit(metal);
    let connected = tokio::select! {
        biased;
        () = run.cancel.cancelled() => Err(Error::cancelled()),
        ended = end(machine, run, limit * 2) => Err(ended),
        connected = &mut dial.0 => connected
            .unwrap_or_else(|error| Err(Error::internal("the connection task ended unexpectedly").because(error))),
    };
    let ssh = match connected {
        Ok(ssh) => Arc::new(ssh),
        Err(error) => return Err(unreached(machine, run, error).await),
    };
    let prepare = boot::prepare(machine, run, &ssh, limit);
    tokio::select! {
        biased;
        ended = end(machine, run, limit * 2) => return Err(ended),
        prepared = prepare => prepared?,
    }
    machine.with_state(|state| state.ssh = Some(Arc::clone(&ssh)));
    Ok(ssh)
}

/// Resolves when the machine stops or terminates unexpectedly, with the reason.
pub(super) async fn end(machine: &AwsMachine, run: &Run, limit: Duration) -> Error {
    let seen = machine
        .machines
        .instances
        .watch(run, &machine.id, "the machine's end", limit, |state| {
            let instance = state?;
            let ended = matches!(instance.state.as_str(), "shutting-down" | "terminated" | "stopping" | "stopped");
            machine.with_state(|state| state.seen = Some(instance.clone()));
            ended.then(|| Ok(instance))
        })
        .await;
    match seen {
        Ok(instance) => {
            let (code, text) = instance.reason.unwrap_or_default();
            let text = if text.is_empty() { code.clone() } else { text };
            Error::build(format!("{} unexpectedly changed to state {}: {text}", machine.in_words(), instance.state))
                .help(help_end(&code))
        }
        Err(error) if error.kind() == ErrorKind::Cancelled => error,
        // A failed look-up does not mean that the machine ended; the connection's time limit decides.
        Err(_) => std::future::pending().await,
    }
}

/// Adds to the error what the reader needs to find the cause: whether the address is right, and the console's output.
async fn unreached(machine: &AwsMachine, run: &Run, error: Error) -> Error {
    if error.kind() != ErrorKind::Build || run.cancel.is_cancelled() {
        return error;
    }
    let request = machine.client().ec2.get_console_output().instance_id(&machine.id).latest(true).send();
    if let Ok(answer) = machine.client().ask("GetConsoleOutput", request).await {
        let text = console::decode(answer.output());
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let tail = &lines[lines.len().saturating_sub(TAIL)..];
        if !tail.is_empty() {
            run.warn(format!("Last lines of the console of {}:\n{}", machine.id, tail.join("\n")), None);
        }
    }
    if error.help_text().is_some() {
        return error;
    }
    let instance = machine.instance();
    let address = machine.access.address(&instance, true).unwrap_or_default();
    let private = instance.public.as_deref() != Some(address.as_str());
    let waited = human(run.clock().elapsed().saturating_sub(machine.born));
    let help = if private {
        format!(
            "{address} is a private address, only reachable from its own network. Set `machine: {{public-ip: true}}` \
             with a public subnet, use a jump host under `connect`, or run the bake inside the VPC with `ingress`."
        )
    } else {
        format!(
            "No connection after {waited}. Check that the subnet has a route to an internet gateway, that no network ACL blocks port {}, \
             and that the image starts an SSH server. The last lines of the console are shown above.",
            machine.settings.connect.port.unwrap_or(22)
        )
    };
    error.help(help)
}
