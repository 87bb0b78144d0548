//! Errors of HTTP requests.

use std::fmt;
use std::io;

use ami_bake_core::Error;
use ami_bake_core::communicator::DialError;

use crate::text::excerpt;

/// Why a request got no response, or only part of one.
#[derive(Debug)]
pub enum HttpError {
    /// The path is not valid in HTTP.
    Target(String),
    /// Nothing listens on the port.
    Connect(Error),
    /// The connection could not be tried.
    Untried(Error),
    /// The server does not speak TLS.
    NotTls,
    /// The server's certificate is not trusted.
    Certificate(String),
    /// The TLS handshake failed for another reason.
    Tls(String),
    /// This computer has no root certificates to verify with.
    NoRoots,
    /// This program was built without TLS.
    NoTls,
    /// The response is not HTTP; these are its first bytes.
    NotHttp(Vec<u8>),
    /// The connection was closed before the response was complete.
    Incomplete,
    /// The connection failed.
    Connection(String),
}

impl HttpError {
    /// Whether another attempt may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Untried(_) | Self::NotHttp(_) | Self::Incomplete | Self::Connection(_))
    }

    /// Help, if there is any.
    pub fn help_text(&self) -> Option<&'static str> {
        match self {
            Self::Certificate(_) => Some(
                "Certificates are verified against the root certificates of the computer that runs ami-bake; to use others, set SSL_CERT_FILE to a file that contains them.",
            ),
            Self::NoRoots => Some(
                "Install `ca-certificates` where ami-bake runs, or set SSL_CERT_FILE to a file with root certificates.",
            ),
            Self::NoTls => Some("Use a build of ami-bake that includes the platform `aws` or `docker`."),
            _ => None,
        }
    }

    /// The error of a request whose response has no complete head; `first` are the first bytes of the response.
    pub(super) fn of_head(error: &hyper::Error, first: &[u8]) -> Self {
        let http = b"HTTP/";
        let is_http = first.starts_with(http) || http.starts_with(first);
        if error.is_parse() || !is_http {
            return Self::NotHttp(first.to_vec());
        }
        let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
        let reset = source.is_some_and(|source| is_closed(source.kind()));
        if reset || error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
            return Self::Incomplete;
        }
        Self::Connection(innermost(error))
    }

    /// The error of reading a response's body.
    pub fn of_body(error: &io::Error) -> Self {
        let mut source: Option<&(dyn std::error::Error + 'static)> = error.get_ref().map(|inner| inner as _);
        while let Some(inner) = source {
            let early = inner.downcast_ref::<io::Error>().is_some_and(|io| is_closed(io.kind()));
            let incomplete = inner.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_incomplete_message);
            if early || incomplete {
                return Self::Incomplete;
            }
            source = inner.source();
        }
        Self::Connection(innermost(error))
    }
}

/// Whether an I/O error means that the other side closed the connection, with or without unread data.
pub(super) fn is_closed(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// The message of the innermost cause: the wrapping errors of the libraries add nothing.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    text
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(target) => write!(f, "`{target}` is not a valid path"),
            Self::Connect(_) => f.write_str("could not connect"),
            Self::Untried(error) => write!(f, "a connection could not be tried: {}", error.message()),
            Self::NotTls => f.write_str("the server does not speak TLS"),
            Self::Certificate(why) => write!(f, "its certificate is not trusted ({why})"),
            Self::Tls(why) => write!(f, "the TLS handshake failed ({why})"),
            Self::NoRoots => f.write_str("this computer has no root certificates to verify its certificate"),
            Self::NoTls => f.write_str("this ami-bake was built without TLS"),
            Self::NotHttp(first) => {
                let first = excerpt(&String::from_utf8_lossy(first), 60);
                write!(f, "the response is not HTTP; it begins with \"{first}\"")
            }
            Self::Incomplete => f.write_str("the connection was closed before the response was complete"),
            Self::Connection(why) => write!(f, "the connection failed ({why})"),
        }
    }
}

impl From<DialError> for HttpError {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Closed(error) => Self::Connect(error),
            DialError::Untried(error) => Self::Untried(error),
        }
    }
}

impl std::error::Error for HttpError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect(error) | Self::Untried(error) => Some(error),
            _ => None,
        }
    }
}
