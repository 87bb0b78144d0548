//! The connection to a machine: running commands, sending and fetching files, opening TCP connections from inside it.

use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::{Error, Result};
use crate::output::OutputSink;

/// A byte stream in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A readable byte stream.
pub type Reader<'a> = Box<dyn AsyncRead + Send + Unpin + 'a>;
/// A writable byte stream.
pub type Writer<'a> = Box<dyn AsyncWrite + Send + Unpin + 'a>;

/// One command on a machine.
pub struct Exec<'a> {
    /// A command line for the machine's POSIX shell, run as root (through `sudo -n` where the login is another user).
    /// It is visible in the machine's process list: it must hold no secret and no part of a script.
    pub command: &'a str,
    /// What the command reads on standard input; it sees end of file after the last byte.
    pub stdin: Reader<'a>,
    /// Time limit after which the command and everything that it started are killed; `None` means no limit.
    pub timeout: Option<Duration>,
}

impl<'a> Exec<'a> {
    /// A command with empty standard input and no time limit.
    pub fn new(command: &'a str) -> Self {
        Self { command, stdin: Box::new(tokio::io::empty()), timeout: None }
    }

    /// Sets the bytes on standard input.
    #[must_use]
    pub fn stdin(mut self, bytes: &'a [u8]) -> Self {
        self.stdin = Box::new(bytes);
        self
    }

    /// Sets the time limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// The command exited by itself with this status.
    Status(i32),
    /// A signal ended the command; the name is without `SIG`.
    Signal(String),
    /// The command exceeded this time limit and was killed.
    TimedOut(Duration),
    /// The connection was lost before the command ended; what the command did since is unknown. The text describes the
    /// loss.
    Lost(String),
}

impl std::fmt::Display for Exit {
    /// "exit status 1", for messages.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "exit status {status}"),
            Self::Signal(name) => write!(f, "signal {name}"),
            Self::TimedOut(limit) => write!(f, "no end within {}", crate::duration::human(*limit)),
            Self::Lost(why) => write!(f, "a lost connection: {why}"),
        }
    }
}

impl Exit {
    /// True for exit status 0.
    pub fn success(&self) -> bool {
        *self == Self::Status(0)
    }
}

/// A live connection to one machine. All calls may run at the same time.
#[async_trait]
pub trait Communicator: Send + Sync {
    /// Runs a command as root; stdout and stderr are passed to `output` separately and live.
    ///
    /// # Errors
    /// Only when the command could not be started at all; how it ended, a lost connection included, is the [`Exit`].
    async fn exec(&self, exec: Exec<'_>, output: &mut dyn OutputSink) -> Result<Exit>;

    /// Unpacks a tar stream below the folder `to`, as root; owners (numeric), modes and times are the archive's. A
    /// missing folder is created.
    async fn put(&self, archive: Reader<'_>, to: &str) -> Result<()>;

    /// Writes a tar stream of `from`, a file or a folder, into `archive`. Its root entry has the base name of `from`.
    async fn get(&self, from: &str, archive: Writer<'_>) -> Result<()>;

    /// Opens a TCP connection to `host:port` as seen from the machine's inside.
    ///
    /// # Errors
    /// [`DialError`] distinguishes a closed port from a connection that could not be tried.
    async fn dial(&self, host: &str, port: u16) -> Result<Box<dyn Duplex>, DialError>;

    /// False if there is no login to the machine, so that [`exec`](Self::exec), [`put`](Self::put) and [`get`](Self::get)
    /// always fail.
    fn runs_commands(&self) -> bool {
        true
    }

    /// How the last [`dial`](Self::dial) connected if not in the usual way, as the end of a sentence: "through python3
    /// on the machine, since its SSH server does not forward ports".
    fn detour(&self) -> Option<String> {
        None
    }
}

/// Why a TCP connection could not be opened.
#[derive(Debug)]
pub enum DialError {
    /// Nothing listens on the port.
    Closed(Error),
    /// The connection could not be tried, which says nothing about the port: the machine is not reachable, its SSH
    /// server does not forward, its image has no tool to connect with, or the host name does not resolve.
    Untried(Error),
}

impl DialError {
    /// Classifies an I/O error of `connect`.
    pub fn of_io(error: std::io::Error, doing: String) -> Self {
        use std::io::ErrorKind as Io;
        let closed = matches!(
            error.kind(),
            Io::ConnectionRefused | Io::ConnectionReset | Io::TimedOut | Io::HostUnreachable | Io::NetworkUnreachable
        );
        let failed = Error::build(doing).because(error);
        if closed { Self::Closed(failed) } else { Self::Untried(failed) }
    }

    /// The inner error of either variant.
    pub fn into_error(self) -> Error {
        match self {
            Self::Closed(error) | Self::Untried(error) => error,
        }
    }
}

impl From<Error> for DialError {
    fn from(error: Error) -> Self {
        Self::Untried(error)
    }
}

impl std::fmt::Display for DialError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed(error) | Self::Untried(error) => error.fmt(f),
        }
    }
}
