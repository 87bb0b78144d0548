//! Connects to a machine, and restarts it. What goes wrong before the login shows on the serial console, which is watched
//! meanwhile.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::communicator::{Communicator as _, Exec, Exit};
use ami_bake_core::output::Collect;
use ami_bake_core::{Error, ErrorKind, Result, Run};
use ami_bake_ssh::{Ssh, boot};
use tokio::time::Instant;

use super::state::VmState;
use crate::qemu::{Console, Ended, PANIC, Qemu, ends_well};

/// Lines of the console that are shown when a machine does not come up.
const TAIL: usize = 25;
/// Pause between two looks at the console.
const LOOK: Duration = Duration::from_millis(500);
/// How long the console must be silent after the end of a boot before nobody is expected to answer any more: SSH servers
/// start before, or a little later.
const SILENCE: Duration = Duration::from_secs(45);
/// The same for an emulated processor.
const SILENCE_EMULATED: Duration = Duration::from_mins(4);

/// Waits until the machine is reachable and its first boot has finished.
pub(super) async fn connect(state: &VmState, run: &Run) -> Result<Arc<Ssh>> {
    if let Some(ssh) = state.running().ssh.clone() {
        return Ok(ssh);
    }
    let limit = state.limit();
    let dial = async {
        let target = state.access.target(run, &state.settings, &state.user, state.port())?;
        let connect = Ssh::connect(target, Instant::now() + limit, run.cancel.clone());
        let ssh = Arc::new(run.waiting(&format!("{} to boot", state.id), connect).await?);
        let said = boot::wait(&ssh, "", &state.name(), limit).await?;
        boot::check(run, &said, state.settings.user_data.is_some(), &state.id, &state.name())?;
        Ok(ssh)
    };
    let ssh = Box::pin(while_alive(state, run, 0, dial)).await?;
    state.running().ssh = Some(Arc::clone(&ssh));
    Ok(ssh)
}

/// Restarts the guest and waits until it is back.
pub(super) async fn reboot(state: &VmState, run: &Run, timeout: Duration) -> Result<()> {
    let ssh = state.ssh()?;
    let deadline = Instant::now() + timeout;
    let restart = async {
        let before = ssh.boot_id().await?;
        let mut output = Collect::default();
        let asked = ssh.exec(Exec::new(boot::REBOOT).timeout(Duration::from_secs(30)), &mut output).await?;
        if let Exit::Status(status @ 1..) = asked {
            return Err(Error::build(format!(
                "could not restart {}: its restart command failed (status {status})",
                state.name()
            )));
        }
        boot::restarted(&ssh, &before, &state.name(), timeout, deadline).await?;
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(30));
        prepared(state, run, &ssh, left).await
    };
    let begin = state.qemu()?.console().length();
    Box::pin(while_alive(state, run, begin, restart)).await
}

/// Reconnects after a restart that somebody else requested.
pub(super) async fn recover(state: &VmState, run: &Run, timeout: Duration) -> Result<()> {
    let ssh = state.ssh()?;
    let back = async {
        ssh.reconnect(Instant::now() + timeout).await?;
        prepared(state, run, &ssh, timeout.max(Duration::from_secs(30))).await
    };
    let begin = state.qemu()?.console().length();
    Box::pin(while_alive(state, run, begin, back)).await
}

async fn prepared(state: &VmState, run: &Run, ssh: &Ssh, limit: Duration) -> Result<()> {
    let said = boot::wait(ssh, "", &state.name(), limit).await?;
    boot::check(run, &said, state.settings.user_data.is_some(), &state.id, &state.name())
}

/// Does something with a machine that is booting. When the machine ends, or the console shows that it will never answer,
/// this fails at once; every failure shows the end of the console. What the console shows before its byte `begin` does not
/// count: it is of the boot before a restart.
async fn while_alive<T>(state: &VmState, run: &Run, begin: u64, work: impl Future<Output = Result<T>>) -> Result<T> {
    let qemu = state.qemu()?;
    let console = qemu.console();
    let result = tokio::select! {
        biased;
        () = run.cancel.cancelled() => Err(Error::cancelled()),
        done = work => done,
        error = end(state, &qemu) => Err(error),
        error = hopeless(state, run, &console, begin) => Err(error),
    };
    result.map_err(|error| unreached(state, run, &console, error))
}

/// Resolves when the machine ends, or can't continue, with the reason.
pub(super) async fn end(state: &VmState, qemu: &Qemu) -> Error {
    let name = state.name();
    match qemu.ended().await {
        Ended::PoweredOff => Error::build(format!("{name} switched itself off")),
        Ended::Panicked => panicked(&name),
        Ended::DiskFailed { full: true, .. } => {
            Error::build(format!("no space left for the disk of {name} in {}", state.images.store().root().display()))
                .help("Free space there, or set another folder with --store.")
        }
        Ended::DiskFailed { reason, .. } => Error::build(format!("QEMU could not access the disk of {name}: {reason}")),
        Ended::Lost(how) => Error::build(format!("QEMU, which ran {name}, ended unexpectedly: {how}")).help(
            "Somebody killed it, or this computer ran out of memory: see `dmesg`, or set a smaller `machine.memory`.",
        ),
    }
}

fn panicked(name: &str) -> Error {
    Error::build(format!("the kernel of {name} panicked"))
        .help("See its console above. A disk that does not boot may need another `machine.firmware`, or more `machine.memory`.")
}

/// Resolves when the console shows that waiting is of no use: the kernel panicked, or the boot has ended and nobody answers.
async fn hopeless(state: &VmState, run: &Run, console: &Console, begin: u64) -> Error {
    let silence = if state.slow { SILENCE_EMULATED } else { SILENCE };
    let (mut length, mut since) = (0, run.clock().elapsed());
    loop {
        if run.sleep(LOOK).await.is_err() {
            return Error::cancelled();
        }
        let now = console.length();
        if now == length {
            if run.clock().elapsed().saturating_sub(since) >= silence && now > begin && ends_well(&console.text()) {
                return no_answer(state, &console.text());
            }
            continue;
        }
        (length, since) = (now, run.clock().elapsed());
        if now > begin && console.text().rsplit("Linux version ").next().is_some_and(|boot| boot.contains(PANIC)) {
            return panicked(&state.name());
        }
    }
}

/// The error for a machine that has booted, and does not let the bake log in.
fn no_answer(state: &VmState, console: &str) -> Error {
    let name = state.name();
    if console.contains("Cloud-init v. ") || console.contains("cloud-init[") {
        Error::build(format!("{name} has booted, but the login over SSH does not work"))
            .help("Check that the image starts an SSH server, and that `machine.user` is the user whose keys cloud-init installs.")
    } else {
        Error::build(format!("{name} has booted, but cloud-init did not run")).help(
            "The bake logs in with a key that cloud-init installs. Use an image with cloud-init, such as the cloud images that \
             distributions publish, or install the package in it.",
        )
    }
}

/// Shows the end of the console with the error.
fn unreached(state: &VmState, run: &Run, console: &Console, error: Error) -> Error {
    if error.kind() != ErrorKind::Build || run.cancel.is_cancelled() {
        return error;
    }
    let tail = console.tail(TAIL);
    if tail.is_empty() {
        run.warn(
            format!("The console of {} shows nothing", state.id),
            Some(
                "The disk may not boot with this `machine.firmware`, or its system does not use the serial console."
                    .to_owned(),
            ),
        );
    } else {
        run.warn(format!("Last lines of the console of {}:\n{}", state.id, tail.join("\n")), None);
    }
    if error.help_text().is_some() {
        return error;
    }
    error.help("See the last lines of the console above. `connect: {timeout: …}` gives a slow machine more time.")
}
