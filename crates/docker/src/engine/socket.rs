//! HTTP over a Unix socket, with one connection for each request.

use std::path::{Path, PathBuf};
use std::pin::Pin;

use bollard::BollardRequest;
use bollard::errors::Error;
use hyper::body::Incoming;
use hyper::header::{HOST as HOST_HEADER, HeaderValue};
use hyper::{Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// A host name, which HTTP requires and the daemon ignores.
pub(super) const HOST: &str = "http://docker";

/// Sends requests to the socket at `path`.
pub(super) fn transport(path: &Path) -> impl Fn(BollardRequest) -> ResponseFuture + Send + Sync + use<> {
    let path = path.to_owned();
    move |request| Box::pin(send(path.clone(), request))
}

/// The response to one request.
type ResponseFuture = Pin<Box<dyn Future<Output = Result<Response<Incoming>, Error>> + Send>>;

async fn send(path: PathBuf, mut request: BollardRequest) -> Result<Response<Incoming>, Error> {
    let stream = UnixStream::connect(&path).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the last of request, response and upgraded stream, and they report its errors.
    tokio::spawn(connection.with_upgrades());
    // The request line holds the path alone; the host is in the header (RFC 9112, 3.2.1).
    if let Some(path) = request.uri().path_and_query().cloned() {
        *request.uri_mut() = Uri::from(path);
    }
    request.headers_mut().insert(HOST_HEADER, HeaderValue::from_static("docker"));
    Ok(sender.send_request(request).await?)
}
