//! HTTP from the machine's place in the network: the connection is opened on the machine, everything above it here. The
//! image needs neither curl nor certificates, and what only the machine can reach is reached.

use ami_bake_core::communicator::{Communicator, Duplex, Reader};
use ami_bake_core::{Error, Result};
use bytes::Bytes;
use futures::TryStreamExt as _;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::handshake;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, HOST, HeaderMap, LOCATION, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_util::io::StreamReader;
use url::Url;

#[cfg(feature = "tls")]
use super::tls::encrypted;

/// As many redirects as curl follows in a chain that means it.
const REDIRECTS: usize = 20;

/// What is asked for.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: &'a [(&'static str, String)],
    /// Any certificate will do.
    pub(super) lax: bool,
}

/// An answer with status 200.
pub(super) struct Answer {
    /// As the server says, where it does.
    pub(super) size: Option<u64>,
    pub(super) body: Reader<'static>,
}

/// Why there is none.
pub(super) enum Trouble {
    /// Another try may go better.
    Passing(Error),
    /// It stays so.
    Lasting(Error),
}

impl Trouble {
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Passing(error) | Self::Lasting(error) => error,
        }
    }
}

/// Asks, and follows redirects.
pub(super) async fn ask(machine: &dyn Communicator, mut ask: Ask<'_>) -> Result<Answer, Trouble> {
    for _ in 0..=REDIRECTS {
        let response = exchange(machine, &ask).await?;
        let (parts, body) = response.into_parts();
        if parts.status == StatusCode::OK {
            let size = number(&parts.headers);
            let stream = body.into_data_stream().map_err(std::io::Error::other);
            return Ok(Answer { size, body: Box::new(StreamReader::new(Box::pin(stream))) });
        }
        let to = parts.headers.get(LOCATION).and_then(|to| to.to_str().ok()).filter(|_| parts.status.is_redirection());
        let Some(next) = to.map(|to| ask.url.join(to)) else {
            let error = Error::build(format!("{} answers with {}", shown(&ask.url), parts.status));
            let again = parts.status.is_server_error()
                || matches!(parts.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
            return Err(if again { Trouble::Passing(error) } else { Trouble::Lasting(error) });
        };
        let refused = |why: &str| Trouble::Lasting(Error::build(format!("{} leads to {why}", shown(&ask.url))));
        let next = next.map_err(|_| refused("nowhere"))?;
        if ask.url.scheme() == "https" && next.scheme() != "https" {
            return Err(refused(&format!("{}, which is not encrypted", shown(&next))));
        }
        ask.url = next;
    }
    Err(Trouble::Lasting(Error::build(format!("it was led on {REDIRECTS} times, and is still at {}", shown(&ask.url)))))
}

async fn exchange(
    machine: &dyn Communicator,
    ask: &Ask<'_>,
) -> Result<hyper::Response<hyper::body::Incoming>, Trouble> {
    let lasting = |why: String| Trouble::Lasting(Error::build(why));
    let host = ask.url.host_str().ok_or_else(|| lasting(format!("{} names no host", ask.url)))?;
    // An address of IPv6 stands in brackets, which no look-up takes.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = ask.url.port_or_known_default().ok_or_else(|| lasting(format!("{} names no port", ask.url)))?;
    let stream = machine.dial(host, port).await.map_err(Trouble::Passing)?;
    let stream: Box<dyn Duplex> = match ask.url.scheme() {
        "http" => stream,
        "https" => encrypted(host, ask.lax, stream).await?,
        scheme => return Err(lasting(format!("`{scheme}` is neither http nor https"))),
    };
    let broken = |error: hyper::Error| {
        Trouble::Passing(Error::build(format!("ask {host} for {}", shown(&ask.url))).because(error))
    };
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // It ends with the answer's body.
    tokio::spawn(connection);
    let authority = match ask.url.port() {
        Some(port) => format!("{}:{port}", ask.url.host_str().unwrap_or_default()),
        None => ask.url.host_str().unwrap_or_default().to_owned(),
    };
    let path = match ask.url.query() {
        Some(query) => format!("{}?{query}", ask.url.path()),
        None => ask.url.path().to_owned(),
    };
    let mut request = Request::builder()
        .method(ask.method.clone())
        .uri(path)
        .header(HOST, authority)
        .header(USER_AGENT, concat!("ami-bake/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "*/*")
        .header(ACCEPT_ENCODING, "identity");
    for (name, value) in ask.headers {
        request = request.header(*name, value);
    }
    let request = request.body(Empty::<Bytes>::new());
    let request = request
        .map_err(|error| Trouble::Lasting(Error::build(format!("{} can't be asked for", ask.url)).because(error)))?;
    sender.send_request(request).await.map_err(broken)
}

/// A build without a cloud speaks no TLS.
#[cfg(not(feature = "tls"))]
async fn encrypted(host: &str, _: bool, _: Box<dyn Duplex>) -> Result<Box<dyn Duplex>, Trouble> {
    std::future::ready(Err(Trouble::Lasting(super::no_tls(&format!("reach {host} by https"))))).await
}

fn number(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// An address without what may be secret in it: its query and its password.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.to_string()
}
