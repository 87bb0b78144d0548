//! One request over a connection of its own.

use ami_bake_core::communicator::{Communicator, Duplex, Reader};
use ami_bake_core::plan::Scheme;
use bytes::Bytes;
use futures::TryStreamExt as _;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::Builder;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, HOST, HeaderMap, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_util::io::StreamReader;

use super::error::HttpError;
use super::first_bytes::FirstBytes;

/// A request. Redirects are not followed.
#[derive(Debug, Clone)]
pub struct HttpRequest<'a> {
    /// The method.
    pub method: Method,
    /// Plain or encrypted.
    pub scheme: Scheme,
    /// Host as seen from the machine: a name or an address, without brackets.
    pub host: &'a str,
    /// Port.
    pub port: u16,
    /// Path and query.
    pub target: &'a str,
    /// Further headers.
    pub headers: &'a [(&'static str, String)],
    /// Whether the server's certificate is verified: against `host`, by the root certificates of this computer.
    pub tls_verify: bool,
}

/// An answer; the body has still to be read.
pub struct HttpResponse {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body. Its errors are an [`HttpError`] by [`HttpError::of_body`].
    pub body: Reader<'static>,
}

/// Sends a request and waits for the head of the answer. There is no time limit.
///
/// # Errors
/// When there is no connection, no trusted one, or what comes over it is not HTTP.
pub async fn send(machine: &dyn Communicator, request: &HttpRequest<'_>) -> Result<HttpResponse, HttpError> {
    let stream = machine.dial(request.host, request.port).await.map_err(HttpError::Connect)?;
    let stream = match request.scheme {
        Scheme::Http => stream,
        Scheme::Https => encrypt(request, stream).await?,
    };
    let (stream, first) = FirstBytes::new(stream);
    let mut builder = Builder::new();
    // Servers that an image runs are of any age: what can be understood is.
    builder.allow_spaces_after_header_name_in_responses(true);
    builder.allow_obsolete_multiline_headers_in_responses(true);
    builder.ignore_invalid_headers_in_responses(true);
    let failed = |error: hyper::Error| HttpError::of_head(error, &first.get());
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // It ends with the answer's body, or when nobody waits for that any more.
    tokio::spawn(connection);
    let request = message(request).map_err(|_| HttpError::Target(request.target.to_owned()))?;
    let (head, body) = sender.send_request(request).await.map_err(failed)?.into_parts();
    let stream = body.into_data_stream().map_err(std::io::Error::other);
    let body = Box::new(StreamReader::new(Box::pin(stream)));
    Ok(HttpResponse { status: head.status, headers: head.headers, body })
}

fn message(request: &HttpRequest<'_>) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
    let host = if request.host.contains(':') { format!("[{}]", request.host) } else { request.host.to_owned() };
    let authority =
        if request.port == request.scheme.default_port() { host } else { format!("{host}:{}", request.port) };
    let mut message = Request::builder()
        .method(request.method.clone())
        .uri(request.target)
        .header(HOST, authority)
        .header(USER_AGENT, concat!("ami-bake/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "*/*")
        .header(ACCEPT_ENCODING, "identity")
        .header(CONNECTION, "close");
    for (name, value) in request.headers {
        message = message.header(*name, value);
    }
    message.body(Empty::new())
}

#[cfg(feature = "tls")]
async fn encrypt(request: &HttpRequest<'_>, stream: Box<dyn Duplex>) -> Result<Box<dyn Duplex>, HttpError> {
    super::tls::encrypt(request.host, request.tls_verify, stream).await
}

/// TLS is C code to compile, and the build without a cloud or Docker does without (docs/build-time.md).
#[cfg(not(feature = "tls"))]
async fn encrypt(_: &HttpRequest<'_>, _: Box<dyn Duplex>) -> Result<Box<dyn Duplex>, HttpError> {
    std::future::ready(Err(HttpError::NoTls)).await
}
