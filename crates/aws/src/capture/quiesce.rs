//! Quiesces a disk: the machine is stopped, or its guest is proven down.

use std::time::Duration;

use ami_bake_core::communicator::{Communicator, Exec, Exit};
use ami_bake_core::console::{HALTED, POWER_DOWN, announce, is_down};
use ami_bake_core::duration::human;
use ami_bake_core::output::Collect;
use ami_bake_core::{Error, Result, Run};
use aws_sdk_ec2::types::AttributeValue;
use uuid::Uuid;

use super::method::Quiesce;
use crate::client::Failure;
use crate::machine::{AwsMachine, SELF_HALT, decode_console};

/// Time limit for the console to prove that the guest is down, which takes 3–15 s (docs/dev/aws.md, "Timings").
const PROOF: Duration = Duration::from_secs(20);
/// Time limit for a guest that can't be stopped to halt.
const HALT: Duration = Duration::from_mins(2);
/// Pause between two reads of the console; the limiter makes it longer with many machines.
const LOOK: Duration = Duration::from_millis(500);
/// Time limit for a stop: it takes half a minute, or 19 minutes on bare metal (docs/dev/aws.md, "Timings").
const STOPPED: Duration = Duration::from_mins(25);
/// Time limit for a short command of our own.
const COMMAND: Duration = Duration::from_secs(15);

/// Halts without powering off, with any init system. It does not wait, because the halt ends the connection.
const HALT_GUEST: &str = "if command -v systemctl >/dev/null 2>&1; then systemctl --no-block halt; \
                          else (sleep 1; shutdown -H now || halt) >/dev/null 2>&1 </dev/null & fi";

/// Quiesces the machine's disk.
pub(super) async fn quiesce(machine: &AwsMachine, run: &Run, how: Quiesce) -> Result<()> {
    match how {
        Quiesce::Stop { prove } => stop(machine, run, prove).await,
        Quiesce::Halt => halt(machine, run).await,
        Quiesce::Freeze => Err(Error::internal("freezing is part of the snapshot")),
    }
}

async fn stop(machine: &AwsMachine, run: &Run, prove: bool) -> Result<()> {
    let nonce = if prove { marked(machine, run).await } else { None };
    run.check()?;
    let client = machine.client();
    let request = client.ec2.stop_instances().instance_ids(&machine.id);
    client.call("StopInstances", &format!("stop {}", machine.in_words()), request.send()).await?;
    let stopped = stopped(machine, run, STOPPED);
    let Some(nonce) = nonce else { return stopped.await };
    tokio::pin!(stopped);
    tokio::select! {
        result = &mut stopped => result,
        proven = proof(machine, run, &nonce, POWER_DOWN, PROOF) => {
            if proven? {
                return Ok(());
            }
            run.progress(format!("Waiting for EC2 to stop {}: its console shows no power-down", machine.id));
            stopped.await
        }
    }
}

/// Makes the machine stop, not end, when its guest powers off.
pub(super) async fn stop_on_shutdown(machine: &AwsMachine) -> Result<(), Box<Failure>> {
    let client = machine.client();
    let request = client
        .ec2
        .modify_instance_attribute()
        .instance_id(&machine.id)
        .instance_initiated_shutdown_behavior(AttributeValue::builder().value("stop").build());
    client.ask("ModifyInstanceAttribute", request.send()).await.map(drop)
}

async fn halt(machine: &AwsMachine, run: &Run) -> Result<()> {
    // If the guest powers off anyway, its disk must not be deleted with it. A halted guest leaves its machine running, so
    // that a refusal costs nothing but this second safety.
    if let Err(failure) = stop_on_shutdown(machine).await {
        run.progress(format!("The shutdown behavior of {} stays as it is ({})", machine.id, failure.code()));
    }
    let Some(nonce) = marked(machine, run).await else {
        return Err(unproven(machine, "its kernel log is not writable"));
    };
    run.check()?;
    match command(machine, HALT_GUEST).await {
        // The guest may be down before it answers.
        Some(Exit::Status(0) | Exit::Lost(_) | Exit::TimedOut(_)) => {}
        Some(exit) => return Err(unproven(machine, &format!("`halt` ended with {exit}"))),
        None => {
            run.progress(format!("No connection to {}: it halts by itself within {}", machine.id, human(SELF_HALT)));
        }
    }
    let limit = HALT + SELF_HALT;
    let stopped = stopped(machine, run, limit + PROOF);
    tokio::pin!(stopped);
    tokio::select! {
        result = &mut stopped => result,
        proven = proof(machine, run, &nonce, HALTED, limit) => match proven {
            Ok(true) => Ok(()),
            Ok(false) => Err(unproven(machine, &format!("its console did not show {HALTED:?} within {}", human(limit)))),
            Err(error) => Err(error),
        },
    }
}

fn unproven(machine: &AwsMachine, why: &str) -> Error {
    Error::build(format!("could not quiesce {}: {why}", machine.in_words()))
        .help("EC2 can't stop one-time spot instances. Bake without `spot`, or use `capture: live`.")
}

/// The nonce that the seal has written to the console, else a new one.
async fn marked(machine: &AwsMachine, run: &Run) -> Option<String> {
    match machine.nonce() {
        Some(nonce) => Some(nonce.to_owned()),
        None => mark(machine, run).await,
    }
}

/// Writes a nonce to the console; `None` if that failed, since nothing can be proven then.
async fn mark(machine: &AwsMachine, run: &Run) -> Option<String> {
    let nonce = format!("ami-bake-down-{}", Uuid::new_v4().simple());
    if command(machine, &announce(&nonce)).await == Some(Exit::Status(0)) {
        return Some(nonce);
    }
    run.progress(format!("Kernel log of {} is not writable", machine.id));
    None
}

/// Runs a short command of our own; `None` when there is no connection.
async fn command(machine: &AwsMachine, command: &str) -> Option<Exit> {
    let communicator = machine.last_connection().await?;
    communicator.exec(Exec::new(command).timeout(COMMAND), &mut Collect::default()).await.ok()
}

/// Reads the console until it proves that the guest is down. False when the time limit is reached or the console can't
/// be read.
async fn proof(machine: &AwsMachine, run: &Run, nonce: &str, line: &str, limit: Duration) -> Result<bool> {
    let client = machine.client();
    let begun = run.clock().elapsed();
    while run.clock().elapsed().saturating_sub(begun) < limit {
        let request = client.ec2.get_console_output().instance_id(&machine.id).latest(true);
        match client.ask("GetConsoleOutput", request.send()).await {
            Ok(answer) if is_down(&decode_console(answer.output()), nonce, line) => return Ok(true),
            Ok(_) => {}
            Err(failure) if failure.unknown() || failure.throttled() => {}
            // Not a Nitro type after all, or no permission: waiting for the state `stopped` works without the console.
            Err(failure) => {
                run.progress(format!("Console of {} can't be read ({})", machine.id, failure.code()));
                return Ok(false);
            }
        }
        run.sleep(LOOK).await?;
    }
    Ok(false)
}

async fn stopped(machine: &AwsMachine, run: &Run, limit: Duration) -> Result<()> {
    let words = machine.in_words();
    machine
        .machines
        .instances
        .wait(run, &machine.id, &format!("{} to stop", machine.id), limit, |state| {
            let instance = state?;
            match instance.state.as_str() {
                "stopped" => Some(Ok(())),
                "shutting-down" | "terminated" => {
                    let why = instance.reason.map(|(_, message)| format!(": {message}")).unwrap_or_default();
                    Some(Err(Error::build(format!("could not stop {words}: it was terminated in the meantime{why}"))
                        .help("Its disk is lost. The self-termination timer ends a machine after `lifetime`; EC2 can reclaim a spot machine at any time.")))
                }
                _ => None,
            }
        })
        .await
}
