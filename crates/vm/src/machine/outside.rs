//! Checks a machine from outside, for images that nobody can log in to (`test-connect: none`).

use std::io::ErrorKind as IoErrorKind;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::communicator::{Communicator, DialError, Duplex, Exec, Exit, Reader, Writer};
use ami_bake_core::duration::human;
use ami_bake_core::output::OutputSink;
use ami_bake_core::{Error, Result, Run};
use async_trait::async_trait;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::boot;
use super::state::VmState;
use crate::qemu::{Forward, ends_well};

/// Pause between two looks at the console.
const PAUSE: Duration = Duration::from_millis(500);
/// Time limit of a connection.
const DIAL: Duration = Duration::from_secs(5);
/// QEMU accepts each connection and closes it when the guest refuses its own: one that is still open after this time is
/// the guest's.
const SETTLED: Duration = Duration::from_millis(300);

/// Waits until the console shows the end of the boot.
pub(super) async fn booted(state: &VmState, run: &Run) -> Result<Arc<dyn Communicator>> {
    let qemu = state.qemu()?;
    let console = qemu.console();
    let up = async {
        while !ends_well(&console.text()) {
            run.sleep(PAUSE).await?;
        }
        Ok(())
    };
    let limit = state.limit();
    let what = format!("the end of the boot on the console of {}", state.id);
    let up = run.waiting(&what, timeout(limit, up));
    tokio::select! {
        biased;
        ended = boot::end(state, &qemu) => return Err(ended),
        up = up => up.map_err(|_| {
            let text = format!("{} did not boot within {}: its console shows no login prompt", state.name(), human(limit));
            Error::build(text).help("`connect: {timeout: …}` gives it more time.")
        })??,
    }
    run.progress(format!("Booted {}: its console shows the end of the boot", state.id));
    Ok(Arc::new(Outside { id: state.id.clone(), forwards: state.forwards.clone() }))
}

/// A machine without a login: some of its ports can be connected to from this computer.
struct Outside {
    id: String,
    forwards: Vec<Forward>,
}

impl Outside {
    fn no_login(&self) -> Error {
        Error::build(format!("could not run a command on {}: `test-connect: none` forbids the login", self.id))
    }
}

#[async_trait]
impl Communicator for Outside {
    async fn exec(&self, _: Exec<'_>, _: &mut dyn OutputSink) -> Result<Exit> {
        Err(self.no_login())
    }

    async fn put(&self, _: Reader<'_>, _: &str) -> Result<()> {
        Err(self.no_login())
    }

    async fn get(&self, _: &str, _: Writer<'_>) -> Result<()> {
        Err(self.no_login())
    }

    async fn dial(&self, _: &str, port: u16) -> Result<Box<dyn Duplex>, DialError> {
        let failed = |why: &str| {
            Error::build(format!("could not connect to port {port} of {} from this computer: {why}", self.id))
        };
        let Some(forward) = self.forwards.iter().find(|forward| forward.guest == port) else {
            return Err(DialError::Untried(failed("the port is not forwarded")));
        };
        let stream = match timeout(DIAL, TcpStream::connect(("127.0.0.1", forward.host))).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(DialError::Untried(failed("QEMU does not answer").because(error))),
            Err(_) => return Err(DialError::Untried(failed("QEMU does not answer"))),
        };
        let mut first = [0];
        match timeout(SETTLED, stream.peek(&mut first)).await {
            Ok(Ok(0)) => Err(DialError::Closed(failed("connection refused"))),
            Ok(Err(error)) if error.kind() == IoErrorKind::ConnectionReset => {
                Err(DialError::Closed(failed("connection refused").because(error)))
            }
            Ok(Err(error)) => Err(DialError::Untried(failed("the connection broke").because(error))),
            Ok(Ok(_)) | Err(_) => Ok(Box::new(stream)),
        }
    }

    fn runs_commands(&self) -> bool {
        false
    }

    fn detour(&self) -> Option<String> {
        Some("from this computer".to_owned())
    }
}
