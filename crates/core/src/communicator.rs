//! What a bake does over the connection to a machine: run a command, send and fetch files, open a connection from its inside.

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
    /// The command and everything that it started are killed after this time; `None` means no limit.
    pub timeout: Option<Duration>,
}

impl<'a> Exec<'a> {
    /// A command with empty standard input and no time limit.
    pub fn new(command: &'a str) -> Self {
        Self { command, stdin: Box::new(tokio::io::empty()), timeout: None }
    }

    /// The same with these bytes on standard input.
    #[must_use]
    pub fn stdin(mut self, bytes: &'a [u8]) -> Self {
        self.stdin = Box::new(bytes);
        self
    }

    /// The same with a limit on its run time.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// How a command ended: four different things that a step must not confuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// It exited by itself with this status.
    Status(i32),
    /// A signal ended it, named without `SIG`.
    Signal(String),
    /// It ran past its time limit and was killed.
    TimedOut(Duration),
    /// The connection ended first; what the command did since is unknown. The text says what was seen.
    Lost(String),
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
    /// Runs a command as root; stdout and stderr reach `output` apart and live.
    ///
    /// # Errors
    /// Only when the command could not be started at all; how it ended, a lost connection included, is the [`Exit`].
    async fn exec(&self, exec: Exec<'_>, output: &mut dyn OutputSink) -> Result<Exit>;

    /// Unpacks a tar stream below the folder `to`, as root; owners (numeric), modes and times are the archive's.
    /// The folder is made when it is missing.
    async fn put(&self, archive: Reader<'_>, to: &str) -> Result<()>;

    /// Writes a tar stream of `from` into `archive`: a file or a folder, under its own base name.
    async fn get(&self, from: &str, archive: Writer<'_>) -> Result<()>;

    /// Opens a TCP connection to `host:port` as seen from the machine's inside.
    ///
    /// # Errors
    /// [`DialError`] tells a closed port from a connection that could not be tried.
    async fn dial(&self, host: &str, port: u16) -> Result<Box<dyn Duplex>, DialError>;

    /// How the last [`dial`](Self::dial) connected where that was not the usual way, as the end of a sentence: "through
    /// python3 on the machine, since its SSH server does not forward ports".
    fn detour(&self) -> Option<String> {
        None
    }
}

/// Why there is no TCP connection.
#[derive(Debug)]
pub enum DialError {
    /// Nothing accepts connections there.
    Closed(Error),
    /// It could not be tried, which says nothing about the port: the machine is not reachable, its SSH server does not
    /// forward, its image has no tool to connect with, or the host's name has no address.
    Untried(Error),
}

impl DialError {
    /// By the kind of a failed connect.
    pub fn of_io(error: std::io::Error, doing: String) -> Self {
        use std::io::ErrorKind as Io;
        let closed = matches!(
            error.kind(),
            Io::ConnectionRefused | Io::ConnectionReset | Io::TimedOut | Io::HostUnreachable | Io::NetworkUnreachable
        );
        let failed = Error::build(doing).because(error);
        if closed { Self::Closed(failed) } else { Self::Untried(failed) }
    }

    /// The error, whichever it is.
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
