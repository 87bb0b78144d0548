//! The bake's end of the socket.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ami_bake_core::communicator::{Communicator, Exec, Exit};
use ami_bake_core::output::{OutputSink, Stream};
use ami_bake_core::shell::quote;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::message::{Failed, Message, answer, piece};
use super::restart::{Request, Wish};
use crate::shell::ACCOUNT;

/// As much of a command's input as waits for the machine.
const WAITING: usize = 256 << 10;
/// As a shell tells that a signal ended a command.
const BY_SIGNAL: i32 = 128;

/// What the playbook told of itself.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Failed tasks, in order.
    pub(super) failed: Vec<Failed>,
    /// On how many machines something ran; none before its end.
    pub(super) hosts: Option<usize>,
}

/// What serves a playbook.
pub(super) struct Server {
    /// Where the plug-ins call.
    pub(super) listener: UnixListener,
    /// The connection to the machine.
    pub(super) machine: Arc<dyn Communicator>,
    /// Whose login a command stands in for.
    pub(super) user: String,
    /// When every command has to be over.
    pub(super) deadline: Option<Instant>,
    /// Where wishes for another boot go.
    pub(super) wishes: UnboundedSender<Request>,
    /// Where messages go.
    pub(super) told: Arc<Mutex<Told>>,
    /// How many commands run on the machine.
    pub(super) running: Arc<AtomicUsize>,
}

/// A command that runs, for as long as this lives.
struct Running(Arc<AtomicUsize>);

impl Running {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Server {
    /// Serves until it is dropped; what still runs on the machine then ends.
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

    /// The command as a login of the user would run it.
    fn as_login(&self, command: &str) -> String {
        let login = include_str!("login.sh").replace("ami_bake_account\n", ACCOUNT);
        format!("set -- {} {}\n{login}", quote(&self.user), quote(command))
    }
}

async fn handle(server: Arc<Server>, stream: UnixStream) {
    let (mut from, to) = stream.into_split();
    let Some(bytes) = piece(&mut from).await else { return };
    let told = || server.told.lock().unwrap_or_else(PoisonError::into_inner);
    match serde_json::from_slice(&bytes) {
        Ok(Message::Exec { command }) => exec(&server, &command, from, to).await,
        Ok(Message::Restart { timeout }) => wish(&server, Wish::Restart(Duration::from_secs(timeout)), to).await,
        Ok(Message::Recover) => wish(&server, Wish::Recover, to).await,
        Ok(Message::Failed(failed)) => told().failed.push(failed),
        Ok(Message::Ended { hosts }) => told().hosts = Some(hosts),
        Err(_) => {}
    }
}

/// Hands a wish on, and answers when it is fulfilled. It is over on the machine before the step is.
async fn wish(server: &Server, wish: Wish, mut to: OwnedWriteHalf) {
    let _running = Running::new(&server.running);
    let (reply, done) = oneshot::channel();
    if server.wishes.send(Request { wish, reply }).is_err() {
        return;
    }
    let Ok(done) = done.await else { return };
    let answer = match done {
        Ok(()) => answer(b's', b"0"),
        Err(words) => answer(b'l', words.as_bytes()),
    };
    // Nobody listens any more: the other side has gone.
    let _ = to.write_all(&answer).await;
}

/// Runs a command: its input from the caller's pieces, its output as pieces of the answer. A caller that goes away takes
/// its command with it.
async fn exec(server: &Server, command: &str, from: OwnedReadHalf, to: OwnedWriteHalf) {
    let (input, stdin) = tokio::io::duplex(WAITING);
    let (sender, receiver) = unbounded_channel();
    let line = server.as_login(command);
    let run = async {
        let mut exec = Exec { command: &line, stdin: Box::new(stdin), timeout: None };
        if let Some(deadline) = server.deadline {
            exec = exec.timeout(deadline.saturating_duration_since(Instant::now()));
        }
        let mut sink = Pieces(sender);
        let running = Running::new(&server.running);
        let ended = server.machine.exec(exec, &mut sink).await;
        drop(running);
        let (kind, content) = match ended {
            Ok(Exit::Status(status)) => (b's', status.to_string()),
            Ok(Exit::Signal(name)) => (b's', (BY_SIGNAL + signal(&name)).to_string()),
            Ok(Exit::TimedOut(_)) => (b'l', "the step's time is over".to_owned()),
            Ok(Exit::Lost(seen)) => (b'l', format!("the connection to the machine was lost: {seen}")),
            Err(error) => (b'l', error.to_string()),
        };
        // Nobody listens any more: the other side has gone.
        let _ = sink.0.send(answer(kind, content.as_bytes()));
    };
    tokio::select! {
        () = feed(from, input) => {}
        ((), ()) = async { tokio::join!(run, pass_on(receiver, to)) } => {}
    }
}

/// Hands the caller's input on, and ends when the caller goes away; a command that doesn't read to the end is its right.
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

async fn pass_on(mut pieces: UnboundedReceiver<Vec<u8>>, mut to: OwnedWriteHalf) {
    while let Some(piece) = pieces.recv().await {
        if to.write_all(&piece).await.is_err() {
            return;
        }
    }
}

/// A command's output as pieces.
struct Pieces(UnboundedSender<Vec<u8>>);

impl OutputSink for Pieces {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let kind = if stream == Stream::Stdout { b'o' } else { b'e' };
        // Who does not listen does not hear.
        let _ = self.0.send(answer(kind, bytes));
    }
}

/// The usual ones' numbers (signal(7)).
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
