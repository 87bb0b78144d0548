//! QEMU's monitor (QMP): one JSON message a line (<https://www.qemu.org/docs/master/interop/qmp-spec.html>).

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::time::Duration;

use ami_bake_core::{Error, Result};
use qapi_qmp::{Event, QmpCommand, QmpMessageAny, qmp_capabilities, system_powerdown};
use qapi_spec::Execute;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, mpsc, watch};

use super::arguments::MONITOR;

/// Pause between two attempts to connect to a QEMU that is starting.
const PAUSE: Duration = Duration::from_millis(20);

/// What QEMU reported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reports {
    /// The guest switched its machine off.
    pub(super) powered_off: bool,
    /// The guest's kernel panicked.
    pub(super) panicked: bool,
    /// QEMU could not write to the machine's disk, for this reason; the machine is paused.
    pub(super) disk_failed: Option<DiskFailure>,
}

/// Why QEMU could not access the machine's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DiskFailure {
    /// True when there is no space left.
    pub(super) full: bool,
    /// The reason in QEMU's words.
    pub(super) reason: String,
}

/// A connection to the monitor.
pub(super) struct Monitor(Mutex<Connection>);

/// Commands are sent one after another, so that each answer is that of the last command.
struct Connection {
    to: OwnedWriteHalf,
    /// The answers; an error is QEMU's text.
    answers: mpsc::UnboundedReceiver<Result<(), String>>,
}

impl Monitor {
    /// Connects to the QEMU in a folder, trying until its socket exists. What it reports goes to `reports`.
    pub(super) async fn connect(folder: &Path, reports: watch::Sender<Reports>) -> Result<Self> {
        let failed = |error| Error::build("could not connect to QEMU's monitor").because(error);
        // By the descriptor, since the path of a socket has at most 107 characters (unix(7)).
        let open = File::open(folder).map_err(failed)?;
        let socket = format!("/proc/self/fd/{}/{MONITOR}", open.as_raw_fd());
        let stream = loop {
            match UnixStream::connect(&socket).await {
                Ok(stream) => break stream,
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        };
        let (from, to) = stream.into_split();
        let mut lines = BufReader::new(from).lines();
        // The greeting, with QEMU's version.
        lines.next_line().await.map_err(failed)?;
        let (sender, answers) = mpsc::unbounded_channel();
        tokio::spawn(read(lines, sender, reports));
        let monitor = Self(Mutex::new(Connection { to, answers }));
        monitor.execute(qmp_capabilities { enable: None }).await.map_err(failed)?;
        Ok(monitor)
    }

    /// Presses the power button.
    pub(super) async fn power_button(&self) -> Result<()> {
        let pressed = self.execute(system_powerdown {}).await;
        pressed.map_err(|error| Error::build("could not press the machine's power button").because(error))
    }

    /// Runs a command whose answer has no content.
    async fn execute<C: QmpCommand>(&self, command: C) -> io::Result<()> {
        let mut connection = self.0.lock().await;
        let mut text = serde_json::to_vec(&Execute::<C, u32>::new(command, None))?;
        text.push(b'\n');
        connection.to.write_all(&text).await?;
        match connection.answers.recv().await {
            Some(answer) => answer.map_err(io::Error::other),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Reads messages until QEMU ends.
async fn read(
    mut lines: Lines<BufReader<OwnedReadHalf>>,
    answers: mpsc::UnboundedSender<Result<(), String>>,
    reports: watch::Sender<Reports>,
) {
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str::<QmpMessageAny>(&line) {
            Ok(QmpMessageAny::Event(event)) => note(event, &reports),
            Ok(QmpMessageAny::Response(response)) => {
                let answer = response.result().map(drop).map_err(|error| error.to_string());
                // Nobody waits when the machine is being ended.
                let _ = answers.send(answer);
            }
            // An event of a newer QEMU.
            Err(error) => tracing::debug!(%error, line, "could not read a message of QEMU"),
        }
    }
}

fn note(event: Event, reports: &watch::Sender<Reports>) {
    match event {
        Event::SHUTDOWN { data, .. } if data.guest => {
            reports.send_modify(|known| known.powered_off = !known.panicked);
        }
        Event::GUEST_PANICKED { .. } => reports.send_modify(|known| known.panicked = true),
        Event::BLOCK_IO_ERROR { data, .. } => {
            let failure = DiskFailure { full: data.nospace == Some(true), reason: data.reason };
            reports.send_modify(|known| known.disk_failed = Some(failure));
        }
        _ => {}
    }
}
