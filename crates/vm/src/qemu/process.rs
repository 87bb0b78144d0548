//! The process of a virtual machine.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ami_bake_core::duration::human;
use ami_bake_core::output::sanitize;
use ami_bake_core::{Error, Result};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{ChildStdin, Command};
use tokio::sync::watch;

use super::arguments::{CONSOLE, PROGRAM_LINK};
use super::console::Console;
use super::monitor::{Monitor, Reports};
use crate::helper::{COMMAND, HOLD, KEEP};

/// Messages of QEMU.
const MESSAGES: &str = "qemu.log";
/// Time limit for QEMU to start or to end, far beyond what a loaded computer needs.
const LIMIT: Duration = Duration::from_mins(2);

/// How a virtual machine ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The guest switched it off.
    PoweredOff,
    /// The guest's kernel panicked.
    Panicked,
    /// QEMU could not write to the disk.
    DiskFailed {
        /// True when there is no space left.
        full: bool,
        /// The reason.
        reason: String,
    },
    /// QEMU ended by itself or was killed; the text says how.
    Lost(String),
}

/// A virtual machine that runs until it is ended, or until this process ends.
pub(crate) struct Qemu {
    folder: PathBuf,
    monitor: Monitor,
    reports: watch::Receiver<Reports>,
    /// The exit status of the process.
    status: watch::Receiver<Option<i32>>,
    /// The holder ends the machine when this pipe is closed, which also happens when this process ends.
    lifeline: Mutex<Option<ChildStdin>>,
}

impl Qemu {
    /// Starts QEMU in the machine's folder, which has a link to this program.
    ///
    /// # Errors
    /// When it can't be started, with its own message.
    pub(crate) async fn start(
        folder: &Path,
        emulator: &Path,
        arguments: &[String],
        lifetime: Duration,
    ) -> Result<Self> {
        let failed = |error: std::io::Error| Error::build("could not start QEMU").because(error);
        let messages = File::create(folder.join(MESSAGES)).map_err(failed)?;
        // The environment of a bake has secrets, and QEMU needs none of it.
        let mut child = Command::new(folder.join(PROGRAM_LINK))
            .args([COMMAND, HOLD, &lifetime.as_secs().to_string()])
            .arg(emulator)
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(messages)
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let lifeline = Mutex::new(child.stdin.take());
        let (sender, mut status) = watch::channel(None);
        tokio::spawn(async move {
            let code = child.wait().await.ok().and_then(|status| status.code());
            sender.send_replace(Some(code.unwrap_or(-1)));
        });
        let (sender, reports) = watch::channel(Reports::default());
        let monitor = tokio::select! {
            biased;
            _ = status.wait_for(Option::is_some) => {
                let messages = messages_of(folder);
                return Err(Error::build(format!("could not start QEMU: {}", messages.trim())));
            }
            connected = tokio::time::timeout(LIMIT, Monitor::connect(folder, sender)) => connected
                .map_err(|_| Error::build(format!("could not start QEMU: it did not answer within {}", human(LIMIT))))??,
        };
        Ok(Self { folder: folder.to_owned(), monitor, reports, status, lifeline })
    }

    /// The machine's serial console.
    pub(crate) fn console(&self) -> Console {
        Console::new(self.folder.join(CONSOLE))
    }

    /// Presses the power button, which a guest's init system obeys.
    ///
    /// # Errors
    /// When the monitor does not answer.
    pub(crate) async fn power_button(&self) -> Result<()> {
        self.monitor.power_button().await
    }

    /// Waits until the machine has ended, or can't continue.
    pub(crate) async fn ended(&self) -> Ended {
        let (mut status, mut reports) = (self.status.clone(), self.reports.clone());
        let stuck = async {
            // The channel is closed when QEMU has ended; what it reported last is still known.
            let stuck = reports.wait_for(|known| known.disk_failed.is_some() || known.panicked).await.is_ok();
            if !stuck {
                std::future::pending::<()>().await;
            }
        };
        let code = tokio::select! {
            biased;
            () = stuck => None,
            ended = status.wait_for(Option::is_some) => ended.ok().and_then(|code| *code),
        };
        // The last events may still be read while the exit status is known already.
        if code.is_some() {
            let mut reports = self.reports.clone();
            let _ =
                tokio::time::timeout(Duration::from_secs(5), async { while reports.changed().await.is_ok() {} }).await;
        }
        let known = self.reports.borrow().clone();
        match (known.disk_failed, code) {
            (Some(failure), _) => Ended::DiskFailed { full: failure.full, reason: failure.reason },
            (None, _) if known.panicked => Ended::Panicked,
            (None, Some(0)) if known.powered_off => Ended::PoweredOff,
            (None, code) => Ended::Lost(self.how(code)),
        }
    }

    fn how(&self, code: Option<i32>) -> String {
        let how = match code {
            Some(code) if code > 128 => format!("signal {}", code - 128),
            Some(code) => format!("exit status {code}"),
            None => "an unknown status".to_owned(),
        };
        match messages_of(&self.folder).lines().last().map(sanitize) {
            Some(line) if !line.is_empty() => format!("{how}: {line}"),
            _ => how,
        }
    }

    /// Ends the machine at once, and waits for its end.
    ///
    /// # Errors
    /// When it is still running after two minutes.
    pub(crate) async fn kill(&self) -> Result<()> {
        drop(self.lifeline.lock().unwrap_or_else(PoisonError::into_inner).take());
        let mut status = self.status.clone();
        let ended = tokio::time::timeout(LIMIT, status.wait_for(Option::is_some)).await.is_ok();
        if ended { Ok(()) } else { Err(Error::build(format!("could not end QEMU within {}", human(LIMIT)))) }
    }

    /// Lets the machine run for this time, whatever becomes of this process.
    ///
    /// # Errors
    /// When the machine has ended already.
    pub(crate) async fn keep(&self, time: Duration) -> Result<()> {
        let lifeline = self.lifeline.lock().unwrap_or_else(PoisonError::into_inner).take();
        let gone = || Error::build("could not keep the virtual machine: it has ended");
        let mut lifeline = lifeline.ok_or_else(gone)?;
        let text = format!("{KEEP}{}\n", time.as_secs());
        lifeline.write_all(text.as_bytes()).await.map_err(|error| gone().because(error))?;
        lifeline.flush().await.map_err(|error| gone().because(error))?;
        if self.status.borrow().is_some() { Err(gone()) } else { Ok(()) }
    }
}

/// What QEMU and its holder wrote.
fn messages_of(folder: &Path) -> String {
    std::fs::read_to_string(folder.join(MESSAGES)).unwrap_or_default()
}
