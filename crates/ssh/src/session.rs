//! One live, authenticated connection.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ami_bake_core::Error;
use ami_bake_core::duration::human;
use russh::client::{Handle, Msg};
use russh::{Channel, ChannelOpenFailure, Disconnect};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use crate::command::Privilege;
use crate::handler::{Client, ConnectionState};

/// Commands that may run at the same time on one connection. sshd allows 10 (`MaxSessions`); two stay free to kill
/// commands.
const COMMANDS: usize = 8;

/// Time limit for opening a channel, long enough for a machine under full load.
const OPEN: Duration = Duration::from_mins(1);

/// Why a channel could not be opened.
#[derive(Debug)]
pub(crate) enum ChannelError {
    /// The connection is gone; nothing was started.
    Lost(String),
    /// The server refused to open the channel.
    Refused(ChannelOpenFailure),
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(reason) => f.write_str(reason),
            Self::Refused(ChannelOpenFailure::ConnectFailed) => f.write_str("connection refused"),
            Self::Refused(ChannelOpenFailure::AdministrativelyProhibited) => {
                f.write_str("the SSH server does not allow it (administratively prohibited)")
            }
            Self::Refused(ChannelOpenFailure::ResourceShortage) => f.write_str("the SSH server is out of resources"),
            Self::Refused(other) => write!(f, "the SSH server refused it ({other:?})"),
        }
    }
}

impl ChannelError {
    pub(crate) fn into_error(self, what: &str) -> Error {
        Error::build(format!("could not {what}: {self}"))
    }
}

/// Facts about a machine from the probe after the login.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MachineFacts {
    /// Duration of one round trip.
    pub(crate) round_trip: Duration,
    /// True when the machine can unpack gzip.
    pub(crate) gzip: bool,
}

/// A connection that has logged in.
pub(crate) struct Session {
    handle: Handle<Client>,
    pub(crate) state: Arc<ConnectionState>,
    /// Who logged in.
    pub(crate) user: String,
    /// How its commands become root's.
    pub(crate) privilege: Privilege,
    /// What the probe after the login found out about the machine.
    pub(crate) facts: OnceLock<MachineFacts>,
    /// The connection to the jump host, which carries this one.
    pub(crate) jump: Option<Arc<Session>>,
    slots: Arc<Semaphore>,
}

impl Session {
    /// A connection of `user`.
    pub(crate) fn new(
        handle: Handle<Client>,
        state: Arc<ConnectionState>,
        user: &str,
        privilege: Privilege,
        jump: Option<Arc<Session>>,
    ) -> Self {
        Self {
            handle,
            state,
            user: user.to_owned(),
            privilege,
            facts: OnceLock::new(),
            jump,
            slots: Arc::new(Semaphore::new(COMMANDS)),
        }
    }

    /// True once the connection has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.closed.is_cancelled() || self.handle.is_closed()
    }

    /// Waits until another command may run. The returned permit is held until the command ends.
    pub(crate) async fn slot(&self) -> Result<OwnedSemaphorePermit, ChannelError> {
        let slots = Arc::clone(&self.slots);
        slots.acquire_owned().await.map_err(|_| ChannelError::Lost(self.state.end()))
    }

    /// True while commands other than the caller's own run.
    pub(crate) fn busy(&self) -> bool {
        self.slots.available_permits() + 1 < COMMANDS
    }

    /// Opens a channel for one command.
    pub(crate) async fn command_channel(self: &Arc<Self>) -> Result<Channel<Msg>, ChannelError> {
        let session = Arc::clone(self);
        self.open(async move { session.handle.channel_open_session().await }).await
    }

    /// Opens a channel for a TCP connection to `host:port` as seen from the machine.
    pub(crate) async fn tcp_channel(self: &Arc<Self>, host: &str, port: u16) -> Result<Channel<Msg>, ChannelError> {
        let session = Arc::clone(self);
        let host = host.to_owned();
        let open = async move { session.handle.channel_open_direct_tcpip(host, u32::from(port), "127.0.0.1", 0).await };
        self.open(open).await
    }

    /// Opens a channel in a task of its own, so that a cancelled caller leaves no open channel behind.
    async fn open<F>(self: &Arc<Self>, open: F) -> Result<Channel<Msg>, ChannelError>
    where
        F: Future<Output = Result<Channel<Msg>, russh::Error>> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(async move {
            if let Err(Ok(unwanted)) = sender.send(open.await) {
                let _ = unwanted.close().await;
            }
        });
        tokio::select! {
            answer = timeout(OPEN, receiver) => match answer {
                Ok(Ok(Ok(channel))) => Ok(channel),
                Ok(Ok(Err(russh::Error::ChannelOpenFailure(reason)))) => Err(ChannelError::Refused(reason)),
                Ok(_) => {
                    // The connection's task may still be about to record why it ended.
                    let _ = timeout(Duration::from_secs(1), self.state.closed.cancelled()).await;
                    Err(ChannelError::Lost(self.state.end()))
                }
                Err(_) => {
                    self.close().await;
                    Err(ChannelError::Lost(format!("no answer from the machine for {}", human(OPEN))))
                }
            },
            () = self.state.closed.cancelled() => Err(ChannelError::Lost(self.state.end())),
        }
    }

    /// Makes one round trip. Answers come in order, so everything that the server sent before has arrived.
    pub(crate) async fn ping(&self) {
        let _ = self.handle.send_ping().await;
    }

    /// Ends the connection with a disconnect message.
    pub(crate) async fn close(&self) {
        let goodbye = self.handle.disconnect(Disconnect::ByApplication, "done", "");
        let _ = timeout(Duration::from_secs(1), goodbye).await;
    }
}
