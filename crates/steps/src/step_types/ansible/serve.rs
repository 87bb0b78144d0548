//! The server for Ansible's plug-ins, on the bake's end of the socket.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ami_bake_core::communicator::{Communicator, Exec, Exit};
use ami_bake_core::output::{OutputSink, Stream};
use ami_bake_core::shell::quote;
use async_trait::async_trait;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::message::{FailedTask, Message, answer, piece};
use super::restart::{BootRequest, Request};
use crate::shell::ACCOUNT;

/// Maximum bytes of a command's input that are queued for the machine.
const WAITING: usize = 256 << 10;
/// Maximum bytes of a command's output that are queued for the plug-in.
const ROOM: usize = 1 << 20;
/// Free bytes that are required before more is read from the machine.
const CHUNK: u32 = 256 << 10;
/// Offset of the signal in a shell's exit status for a killed command.
const BY_SIGNAL: i32 = 128;

/// The plug-ins' report about a playbook.
#[derive(Debug, Default)]
pub(super) struct PlaybookReport {
    /// Failed tasks, in order.
    pub(super) failed: Vec<FailedTask>,
    /// Number of machines on which something ran; `None` before the end of the playbook.
    pub(super) hosts: Option<usize>,
}

/// The server for one playbook.
pub(super) struct PlaybookServer {
    /// Socket that the plug-ins connect to.
    pub(super) listener: UnixListener,
    /// The connection to the machine.
    pub(super) machine: Arc<dyn Communicator>,
    /// The login user that commands run as.
    pub(super) user: String,
    /// Deadline of all commands.
    pub(super) deadline: Option<Instant>,
    /// Channel for restart requests.
    pub(super) wishes: UnboundedSender<Request>,
    /// Collects the plug-ins' messages.
    pub(super) report: Arc<Mutex<PlaybookReport>>,
    /// Number of commands that are running on the machine.
    pub(super) running: Arc<AtomicUsize>,
}

/// Counts a running command for as long as this value lives.
struct RunningCommand(Arc<AtomicUsize>);

impl RunningCommand {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for RunningCommand {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl PlaybookServer {
    /// Serves until dropped; commands that are still running on the machine end then.
    pub(super) async fn serve(self) {
        let server = Arc::new(self);
        let mut calls = JoinSet::new();
        loop {
            tokio::select! {
                Ok((stream, _)) = server.listener.accept() => {
                    calls.spawn(handle(Arc::clone(&server), stream));
                }
                Some(_) = calls.join_next() => {}
            }
        }
    }

    /// The command as a login shell of the user would run it.
    fn as_login(&self, command: &str) -> String {
        let login = include_str!("login.sh").replace("ami_bake_account\n", ACCOUNT);
        format!("set -- {} {}\n{login}", quote(&self.user), quote(command))
    }
}

async fn handle(server: Arc<PlaybookServer>, stream: UnixStream) {
    let (mut from, to) = stream.into_split();
    let Some(bytes) = piece(&mut from).await else { return };
    let report = || server.report.lock().unwrap_or_else(PoisonError::into_inner);
    match serde_json::from_slice(&bytes) {
        Ok(Message::Exec { command }) => exec(&server, &command, from, to).await,
        Ok(Message::Restart { timeout }) => wish(&server, BootRequest::Restart(Duration::from_secs(timeout)), to).await,
        Ok(Message::Recover) => wish(&server, BootRequest::Recover, to).await,
        Ok(Message::Failed(failed)) => report().failed.push(failed),
        Ok(Message::Ended { hosts }) => report().hosts = Some(hosts),
        Err(_) => {}
    }
}

/// Forwards a restart request, and answers when it is done, which is before the step's deadline.
async fn wish(server: &PlaybookServer, wish: BootRequest, mut to: OwnedWriteHalf) {
    let _running = RunningCommand::new(&server.running);
    let (reply, done) = oneshot::channel();
    if server.wishes.send(Request { wish, reply }).is_err() {
        return;
    }
    let Ok(done) = done.await else { return };
    let answer = match done {
        Ok(()) => answer(b's', b"0"),
        Err(words) => answer(b'l', words.as_bytes()),
    };
    // A failed write means that the plug-in has disconnected.
    let _ = to.write_all(&answer).await;
}

/// Runs a command: its input arrives in the caller's frames, and its output is returned in frames. The command ends
/// when the caller disconnects.
async fn exec(server: &PlaybookServer, command: &str, from: OwnedReadHalf, to: OwnedWriteHalf) {
    let (input, stdin) = tokio::io::duplex(WAITING);
    let (sender, receiver) = unbounded_channel();
    let room = Arc::new(Semaphore::new(ROOM));
    let line = server.as_login(command);
    let run = async {
        let mut exec = Exec { command: &line, stdin: Box::new(stdin), timeout: None };
        if let Some(deadline) = server.deadline {
            exec = exec.timeout(deadline.saturating_duration_since(Instant::now()));
        }
        let mut sink = FrameSink { pieces: sender, room: Arc::clone(&room) };
        let running = RunningCommand::new(&server.running);
        let ended = server.machine.exec(exec, &mut sink).await;
        drop(running);
        let (kind, content) = match ended {
            Ok(Exit::Status(status)) => (b's', status.to_string()),
            Ok(Exit::Signal(name)) => (b's', (BY_SIGNAL + signal(&name)).to_string()),
            Ok(Exit::TimedOut(_)) => (b'l', "the step's timeout is over".to_owned()),
            Ok(Exit::Lost(seen)) => (b'l', format!("the connection to the machine was lost: {seen}")),
            Err(error) => (b'l', error.to_string()),
        };
        // A failed write means that the plug-in has disconnected.
        let _ = sink.pieces.send((answer(kind, content.as_bytes()), 0));
    };
    tokio::select! {
        () = feed(from, input) => {}
        ((), ()) = async { tokio::join!(run, pass_on(receiver, to, &room)) } => {}
    }
}

/// Passes the caller's input on until the caller disconnects; a command may stop reading early.
async fn feed(mut from: OwnedReadHalf, input: DuplexStream) {
    let mut input = Some(input);
    while let Some(bytes) = piece(&mut from).await {
        if bytes.is_empty() {
            input = None;
        } else if let Some(open) = &mut input
            && open.write_all(&bytes).await.is_err()
        {
            input = None;
        }
    }
}

async fn pass_on(mut pieces: UnboundedReceiver<(Vec<u8>, usize)>, mut to: OwnedWriteHalf, room: &Semaphore) {
    while let Some((piece, taken)) = pieces.recv().await {
        if to.write_all(&piece).await.is_err() {
            break;
        }
        room.add_permits(taken);
    }
    // Nothing waits for a plug-in that has disconnected.
    room.close();
}

/// Sends a command's output as frames, each with the room that it takes in the queue.
struct FrameSink {
    pieces: UnboundedSender<(Vec<u8>, usize)>,
    room: Arc<Semaphore>,
}

#[async_trait]
impl OutputSink for FrameSink {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let kind = if stream == Stream::Stdout { b'o' } else { b'e' };
        let taken = self.room.forget_permits(bytes.len());
        // A failed send means that the plug-in has disconnected.
        let _ = self.pieces.send((answer(kind, bytes), taken));
    }

    async fn ready(&mut self) {
        // Closed when the plug-in has disconnected.
        let _ = self.room.acquire_many(CHUNK).await;
    }
}

/// The number of a common signal (signal(7)).
fn signal(name: &str) -> i32 {
    match name {
        "HUP" => 1,
        "INT" => 2,
        "ABRT" => 6,
        "KILL" => 9,
        "SEGV" => 11,
        "PIPE" => 13,
        "TERM" => 15,
        _ => 127,
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_plug_in_that_does_not_read_makes_the_machine_wait() {
        let piece = vec![0; 64 << 10];
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (sender, receiver) = unbounded_channel();
        let room = Arc::new(Semaphore::new(ROOM));
        let mut sink = FrameSink { pieces: sender, room: Arc::clone(&room) };
        let (_, to) = ours.into_split();
        let passing = tokio::spawn(async move { pass_on(receiver, to, &room).await });
        let mut written = 0;
        while sink.ready().now_or_never().is_some() {
            sink.write(Stream::Stdout, &piece);
            written += piece.len();
            tokio::task::yield_now().await;
        }
        // Including what the socket itself buffers.
        assert!((ROOM / 2..2 * ROOM).contains(&written), "{written}");
        // Nothing waits for a plug-in that has disconnected.
        drop(theirs);
        sink.ready().await;
        passing.await.unwrap();
    }
}
