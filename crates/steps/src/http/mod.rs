//! HTTP from the machine's place in the network: the connection is opened on the machine, everything above it is done here.
//! The image needs neither curl nor certificates, and what only the machine can reach is reached.

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
