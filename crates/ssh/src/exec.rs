//! Runs one command on one channel.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::communicator::{Exit, Writer};
use ami_bake_core::output::{OutputSink, Stream};
use ami_bake_core::{Error, Result};
use futures::FutureExt;
use futures::future::{BoxFuture, Fuse, FusedFuture};
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelWriteHalf, Sig};
use tokio::io::AsyncWriteExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, sleep_until};

use crate::preamble::Preamble;
use crate::pump::Feed;
use crate::session::Session;
use crate::{command, kill};

/// Time without output after which a command counts as over that has exited while a background process keeps its output
/// open.
const LINGER: Duration = Duration::from_secs(2);

/// Maximum output that is still read after a command has exited: it may be in a pipe, in sshd or in the channel's
/// window. A background process that prints without end is not read any further.
const UNREAD: usize = 8 << 20;

/// Time for the last output of a killed command to arrive.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Destination of a command's output.
pub(crate) enum Output<'a> {
    /// The output sink of a step. The command is over when it has exited and its output is silent, even if a background
    /// process keeps the streams open: `daemon &` must not block a bake.
    Sink(&'a mut dyn OutputSink),
    /// Standard output byte for byte to its end, the first kilobytes of standard error for an error message.
    Archive { writer: Writer<'a>, errors: Vec<u8> },
}

impl Output<'_> {
    async fn take(&mut self, stream: Stream, bytes: &[u8]) -> std::io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        match (self, stream) {
            (Self::Sink(sink), _) => sink.write(stream, bytes),
            (Self::Archive { writer, .. }, Stream::Stdout) => writer.write_all(bytes).await?,
            (Self::Archive { errors, .. }, Stream::Stderr) => {
                let room = 4096_usize.saturating_sub(errors.len());
                errors.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
        }
        Ok(())
    }

    /// Waits until the output has room for more.
    async fn ready(&mut self) {
        if let Self::Sink(sink) = self {
            sink.ready().await;
        }
    }

    /// The first kilobytes of standard error, if this kind of output keeps them.
    pub(crate) fn errors(&self) -> &[u8] {
        match self {
            Self::Sink(_) => &[],
            Self::Archive { errors, .. } => errors,
        }
    }

    /// Flushes the writer.
    pub(crate) async fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Sink(_) => Ok(()),
            Self::Archive { writer, .. } => writer.flush().await,
        }
    }
}

/// A running command. When its caller is dropped the command is killed, and its channel on the connection (sshd allows
/// ten) becomes free only after that.
struct Running {
    session: Arc<Session>,
    id: String,
    channel: Arc<ChannelWriteHalf<Msg>>,
    slot: Option<OwnedSemaphorePermit>,
    over: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (channel, slot) = (Arc::clone(&self.channel), self.slot.take());
        let kill = (!self.over && !self.session.is_closed())
            .then(|| kill::tree(Arc::clone(&self.session), std::mem::take(&mut self.id)));
        runtime.spawn(async move {
            if let Some(kill) = kill {
                let _ = kill.await;
            }
            let _ = channel.close().await;
            drop(slot);
        });
    }
}

/// Runs `command` as root and waits for its end.
///
/// # Errors
/// When the server refuses to run it, or when the local side of a stream fails.
pub(crate) async fn run(
    session: &Arc<Session>,
    (slot, channel): (Option<OwnedSemaphorePermit>, Channel<Msg>),
    command: &str,
    feed: &mut Feed<'_>,
    limit: Option<Duration>,
    output: &mut Output<'_>,
) -> Result<Exit> {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let line = command::as_root(&Preamble::wrap(&id, command), &session.privilege, &id);
    let mut preamble = Preamble::new(&id);
    let (mut read, write) = channel.split();
    let write = Arc::new(write);
    let (guarded, channel) = (Arc::clone(session), Arc::clone(&write));
    let mut running = Running { session: guarded, id: id.clone(), channel, slot, over: false };
    if write.exec(true, line).await.is_err() {
        return Ok(Exit::Lost(session.state.end()));
    }

    let pour = feed.pour(&write).fuse();
    tokio::pin!(pour);
    let timer = async {
        match limit {
            Some(limit) => sleep(limit).await,
            None => pending().await,
        }
    };
    tokio::pin!(timer);
    let quiet = sleep_until(Instant::now());
    tokio::pin!(quiet);
    let mut armed = false;
    let mut probe: Fuse<BoxFuture<'_, ()>> = Fuse::terminated();
    let mut killing: Fuse<BoxFuture<'_, Result<(), String>>> = Fuse::terminated();
    let mut killed = None;
    let mut timed_out = false;
    let mut ended = None;
    let mut closed = false;
    let mut unread = UNREAD;

    loop {
        tokio::select! {
            message = read.wait() => {
                if let (true, Some(ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. })) =
                    (ended.is_some() && matches!(output, Output::Sink(_)), &message)
                {
                    unread = unread.saturating_sub(data.len());
                    if unread == 0 {
                        break;
                    }
                }
                match message {
                    None => break,
                    Some(ChannelMsg::Close) => {
                        closed = true;
                        break;
                    }
                    Some(ChannelMsg::Data { data }) => {
                        let bytes = preamble.pass(Stream::Stdout, &data);
                        output.take(Stream::Stdout, bytes).await.map_err(write_error)?;
                    }
                    Some(ChannelMsg::ExtendedData { data, ext: 1 }) => {
                        let bytes = preamble.pass(Stream::Stderr, &data);
                        output.take(Stream::Stderr, bytes).await.map_err(write_error)?;
                    }
                    Some(ChannelMsg::ExitStatus { exit_status }) => {
                        ended = Some(Exit::Status(i32::try_from(exit_status).unwrap_or(i32::MAX)));
                    }
                    Some(ChannelMsg::ExitSignal { signal_name, .. }) => ended = Some(Exit::Signal(name(&signal_name))),
                    Some(ChannelMsg::Failure) => {
                        running.over = true;
                        return Err(Error::build("could not run a command: the SSH server does not run commands")
                            .help("Check `ForceCommand` in sshd_config and the shell of the user in the source image."));
                    }
                    Some(_) => {}
                }
                output.ready().await;
                if (ended.is_some() && matches!(output, Output::Sink(_))) || killed.is_some() {
                    armed = true;
                    probe = Fuse::terminated();
                    quiet.as_mut().reset(Instant::now() + if killed.is_some() { LAST_WORDS } else { LINGER });
                }
            }
            result = &mut pour, if !pour.is_terminated() => {
                result.map_err(|error| Error::build("could not read the standard input for a command").because(error))?;
            }
            () = &mut timer, if !timed_out && ended.is_none() => {
                timed_out = true;
                killing = kill::tree(Arc::clone(session), id.clone()).fuse();
            }
            result = &mut killing, if !killing.is_terminated() => {
                if result.is_err() {
                    kill::ask(&write).await;
                }
                killed = Some(result);
                armed = true;
                quiet.as_mut().reset(Instant::now() + LAST_WORDS);
            }
            () = &mut quiet, if armed && killing.is_terminated() => {
                if timed_out {
                    break;
                }
                // The network may be slow. Answers come in order, so once this one has arrived no earlier output is on
                // its way.
                armed = false;
                probe = session.ping().boxed().fuse();
            }
            () = &mut probe, if !probe.is_terminated() => break,
        }
    }

    for (stream, words) in preamble.rest() {
        // Output before the begin of the command is not part of an archive.
        let stream = if matches!(output, Output::Archive { .. }) { Stream::Stderr } else { stream };
        output.take(stream, &words).await.map_err(write_error)?;
    }
    running.over = !timed_out || killing.is_terminated();
    if timed_out {
        if !killing.is_terminated() {
            killed = Some(killing.await);
            running.over = true;
        }
        if let (Some(Err(reason)), Output::Sink(sink)) = (&killed, output) {
            let note = format!("ami-bake: the command ran past its time limit and could not be killed: {reason}\n");
            sink.write(Stream::Stderr, note.as_bytes());
        }
        return Ok(match limit {
            // Without a connection it is unknown whether the command was killed.
            Some(limit) if closed || !session.is_closed() => Exit::TimedOut(limit),
            _ => Exit::Lost(session.state.end()),
        });
    }
    Ok(match ended {
        Some(exit) => exit,
        None if closed => Exit::Lost("the SSH server closed the command's channel without an exit status".to_owned()),
        None => {
            // The connection's task records the reason just after it has closed its channels.
            let _ = tokio::time::timeout(LAST_WORDS, session.state.closed.cancelled()).await;
            Exit::Lost(session.state.end())
        }
    })
}

fn write_error(error: std::io::Error) -> Error {
    Error::build("could not write the output of a command").because(error)
}

/// The signal's name without `SIG`.
fn name(signal: &Sig) -> String {
    match signal {
        Sig::Custom(name) => name.trim_start_matches("SIG").to_owned(),
        known => format!("{known:?}"),
    }
}
