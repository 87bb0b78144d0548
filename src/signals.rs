//! Signals: the first cancels the run, the second ends the program at once.

use std::io::Result;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::ErrorKind;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::host::Host;
use crate::report::Snapshot;

/// Time limit for the last message of a program that ends at once. Its terminal may be gone, or accept no more text.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Signals that cancel: SIGINT and SIGQUIT of a terminal, SIGTERM of a supervisor, SIGHUP of a terminal or a connection
/// that is gone.
pub(crate) struct Cancels {
    interrupt: Signal,
    terminate: Signal,
    quit: Signal,
    /// `None` when the program was started under `nohup`, since it is to survive SIGHUP.
    hang_up: Option<Signal>,
}

impl Cancels {
    /// Starts to listen, for as long as the program runs.
    ///
    /// # Errors
    /// When a handler can't be installed.
    pub(crate) fn listen() -> Result<Self> {
        let hang_up = if ignores_hang_up() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            hang_up,
        })
    }

    /// Waits for a signal that cancels, and returns it.
    pub(crate) async fn first(&mut self) -> SignalKind {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.quit.recv() => SignalKind::quit(),
            _ = hang_up => SignalKind::hangup(),
        }
    }

    /// Waits for a signal to end at once. SIGHUP is none: a closed terminal sends it twice (from the kernel and from
    /// the shell), although nobody is waiting. A supervisor that ends a session sends SIGHUP and SIGTERM together, in
    /// whichever order (systemd.kill(5), `SendSIGHUP`): so the first SIGTERM after SIGHUP does not count, either.
    async fn second(&mut self, first: SignalKind) {
        let mut same = first == SignalKind::hangup();
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.quit.recv() => return,
                _ = self.terminate.recv() => if !std::mem::take(&mut same) { return },
            }
        }
    }
}

/// Whether SIGHUP was ignored when this program was started (proc_pid_status(5)).
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Signal 1 is the lowest bit.
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// Listens for as long as the program runs. The first signal cancels `token`: everything that the run created is
/// deleted without waiting. The second writes the current report and exits with 130.
pub(crate) fn listen(token: CancellationToken, host: Arc<dyn Host>, report: Snapshot) {
    let Ok(mut cancels) = Cancels::listen() else { return };
    if host.run_begins() {
        token.cancel();
    }
    tokio::spawn(async move {
        let first = cancels.first().await;
        token.cancel();
        // Not awaited: a terminal that accepts no text must not hold up the clean-up.
        drop(say(&host, "\nCancelling, cleaning up… (Ctrl-C again to quit now)\n"));
        cancels.second(first).await;
        let code = ErrorKind::Cancelled.exit_code();
        report.write(code);
        let said = say(&host, "\nQuitting now. Run `ami-bake sweep` to delete what is left.\n");
        let _ = timeout(LAST_WORDS, said).await;
        std::process::exit(i32::from(code));
    });
}

fn say(host: &Arc<dyn Host>, text: &'static str) -> JoinHandle<()> {
    let host = Arc::clone(host);
    spawn_blocking(move || host.say(text))
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal as Raised, getpid, kill_process};

    use super::*;

    /// Each test is a process of its own.
    fn raise(signal: Raised) {
        kill_process(getpid(), signal).unwrap();
    }

    #[tokio::test]
    async fn a_session_that_ends_sends_two_signals() {
        let mut cancels = Cancels::listen().unwrap();
        raise(Raised::HUP);
        let first = cancels.first().await;
        assert_eq!(first, SignalKind::hangup());
        let second = cancels.second(first);
        tokio::pin!(second);
        for signal in [Raised::TERM, Raised::HUP] {
            raise(signal);
            assert!(
                timeout(LAST_WORDS, &mut second).await.is_err(),
                "SIGTERM of the same supervisor ends the clean-up"
            );
        }
        // Signals that have not been received yet are merged into one.
        while timeout(LAST_WORDS, &mut second).await.is_err() {
            raise(Raised::TERM);
        }
    }

    #[tokio::test]
    async fn a_second_request_ends_the_program() {
        let mut cancels = Cancels::listen().unwrap();
        raise(Raised::INT);
        let first = cancels.first().await;
        raise(Raised::TERM);
        cancels.second(first).await;
    }
}
