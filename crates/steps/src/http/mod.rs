//! HTTP requests as seen from the machine: the connection is opened on the machine, everything else happens here. The
//! image needs neither curl nor certificates, and servers that only the machine can reach are reached.

mod client;
mod error;
mod first_bytes;
#[cfg(feature = "tls")]
mod tls;

pub use client::{HttpRequest, HttpResponse, send};
pub use error::HttpError;
pub use hyper::{Method, StatusCode, header};

/// Whether this program was built with TLS.
pub const TLS: bool = cfg!(feature = "tls");
