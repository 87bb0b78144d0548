//! One live, authenticated connection.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ami_bake_core::Error;
use russh::client::{Handle, Msg};
use russh::{Channel, ChannelOpenFailure, Disconnect};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use crate::handler::{Client, Seen};
use crate::probe::Facts;
use crate::transfer;
use crate::tunnel::Tunnel;

/// Commands at the same time on one connection. sshd allows 10 (`MaxSessions`); two stay free for killing.
const COMMANDS: usize = 8;

/// A machine under full load answers the request for a channel within this time, or not at all.
const OPEN: Duration = Duration::from_mins(1);

/// Why a channel did not open.
#[derive(Debug)]
pub(crate) enum Closed {
    /// The connection is gone; nothing was started.
    Lost(String),
    /// The server said no.
    Refused(ChannelOpenFailure),
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(reason) => f.write_str(reason),
            Self::Refused(ChannelOpenFailure::ConnectFailed) => f.write_str("connection refused"),
            Self::Refused(ChannelOpenFailure::AdministrativelyProhibited) => {
                f.write_str("the SSH server forbids it (administratively prohibited)")
            }
            Self::Refused(ChannelOpenFailure::ResourceShortage) => f.write_str("the SSH server is out of resources"),
            Self::Refused(other) => write!(f, "the SSH server refuses it ({other:?})"),
        }
    }
}

impl Closed {
    pub(crate) fn into_error(self, what: &str) -> Error {
        Error::build(format!("{what}: {self}"))
    }
}

/// A connection that has logged in.
pub(crate) struct Session {
    handle: Handle<Client>,
    pub(crate) seen: Arc<Seen>,
    /// The login user is not root.
    pub(crate) become_root: bool,
    /// What was found out about the machine after the login.
    pub(crate) facts: OnceLock<Facts>,
    /// The connection runs inside this one.
    pub(crate) jump: Option<Arc<Session>>,
    slots: Arc<Semaphore>,
}

impl Session {
    pub(crate) fn new(handle: Handle<Client>, seen: Arc<Seen>, user: &str, jump: Option<Arc<Session>>) -> Self {
        Self {
            handle,
            seen,
            become_root: user != "root",
            facts: OnceLock::new(),
            jump,
            slots: Arc::new(Semaphore::new(COMMANDS)),
        }
    }

    /// True once the connection has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.seen.closed.is_cancelled() || self.handle.is_closed()
    }

    /// True where an archive is better compressed, if it can be.
    pub(crate) fn wants_gzip(&self) -> bool {
        self.facts.get().is_some_and(|facts| facts.gzip && facts.distance >= transfer::FAR)
    }

    /// Waits until a command may run beside the others; the permit is held until its end.
    pub(crate) async fn slot(&self) -> Result<OwnedSemaphorePermit, Closed> {
        let slots = Arc::clone(&self.slots);
        slots.acquire_owned().await.map_err(|_| Closed::Lost(self.seen.end()))
    }

    /// True while other commands than the caller's own run.
    pub(crate) fn busy(&self) -> bool {
        self.slots.available_permits() + 1 < COMMANDS
    }

    /// A channel for one command.
    pub(crate) async fn command_channel(self: &Arc<Self>) -> Result<Channel<Msg>, Closed> {
        let session = Arc::clone(self);
        self.open(async move { session.handle.channel_open_session().await }).await
    }

    /// A TCP connection to `host:port` as seen from the machine.
    pub(crate) async fn tunnel(self: &Arc<Self>, host: &str, port: u16) -> Result<Tunnel, Closed> {
        let session = Arc::clone(self);
        let host = host.to_owned();
        let open = async move { session.handle.channel_open_direct_tcpip(host, u32::from(port), "127.0.0.1", 0).await };
        Ok(Tunnel::new(Arc::clone(self), self.open(open).await?))
    }

    /// Opens a channel in a task of its own: a caller who has gone meanwhile leaves no open channel behind.
    async fn open<F>(self: &Arc<Self>, open: F) -> Result<Channel<Msg>, Closed>
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
                Ok(Ok(Err(russh::Error::ChannelOpenFailure(reason)))) => Err(Closed::Refused(reason)),
                Ok(_) => {
                    // The task's last words may still be on their way.
                    let _ = timeout(Duration::from_secs(1), self.seen.closed.cancelled()).await;
                    Err(Closed::Lost(self.seen.end()))
                }
                Err(_) => {
                    self.close().await;
                    Err(Closed::Lost(format!("the machine has not answered for {} s", OPEN.as_secs())))
                }
            },
            () = self.seen.closed.cancelled() => Err(Closed::Lost(self.seen.end())),
        }
    }

    /// One round trip. Answers come in order: what the server had sent before has arrived.
    pub(crate) async fn ping(&self) {
        let _ = self.handle.send_ping().await;
    }

    /// Ends the connection politely.
    pub(crate) async fn close(&self) {
        let goodbye = self.handle.disconnect(Disconnect::ByApplication, "done", "");
        let _ = timeout(Duration::from_secs(1), goodbye).await;
    }
}
