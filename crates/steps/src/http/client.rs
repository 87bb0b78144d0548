//! Sends one HTTP request over a connection of its own.

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
    /// HTTP method.
    pub method: Method,
    /// The scheme: HTTP or HTTPS.
    pub scheme: Scheme,
    /// Host as seen from the machine: a name or an address, without brackets.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// Path and query.
    pub target: &'a str,
    /// Additional headers.
    pub headers: &'a [(&'static str, String)],
    /// Whether the server's certificate is verified: against `host`, with the root certificates of this computer.
    pub tls_verify: bool,
}

/// A response whose body has not been read yet.
pub struct HttpResponse {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body. Read errors convert to [`HttpError`] with [`HttpError::of_body`].
    pub body: Reader<'static>,
}

/// Sends a request and waits for the head of the response, without a time limit.
///
/// # Errors
/// When the connection fails, the certificate is not trusted, or the response is not HTTP.
pub async fn send(machine: &dyn Communicator, request: &HttpRequest<'_>) -> Result<HttpResponse, HttpError> {
    let stream = machine.dial(request.host, request.port).await?;
    let stream = match request.scheme {
        Scheme::Http => stream,
        Scheme::Https => encrypt(request, stream).await?,
    };
    let (stream, first) = FirstBytes::new(stream);
    let mut builder = Builder::new();
    // Servers in images may be old: everything that can be understood is accepted.
    builder.allow_spaces_after_header_name_in_responses(true);
    builder.allow_obsolete_multiline_headers_in_responses(true);
    builder.ignore_invalid_headers_in_responses(true);
    let failed = |error: hyper::Error| HttpError::of_head(&error, &first.get());
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // The task ends when the body has been read or dropped.
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

/// Without the feature `tls`. TLS needs C code to compile, which builds without a cloud or Docker avoid
/// (docs/build-time.md).
#[cfg(not(feature = "tls"))]
async fn encrypt(_: &HttpRequest<'_>, _: Box<dyn Duplex>) -> Result<Box<dyn Duplex>, HttpError> {
    std::future::ready(Err(HttpError::NoTls)).await
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use ami_bake_core::communicator::{DialError, Exec, Exit, Writer};
    use ami_bake_core::output::OutputSink;
    use ami_bake_core::{Error, Result};
    use async_trait::async_trait;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Maximum bytes of a body that the tests read.
    const BODY: u64 = 1 << 20;

    /// A machine on which every connection gets this response, in pieces.
    struct Answering {
        bytes: Vec<u8>,
        piece: usize,
        asked: Arc<Mutex<Vec<u8>>>,
    }

    #[async_trait]
    impl Communicator for Answering {
        async fn exec(&self, _: Exec<'_>, _: &mut dyn OutputSink) -> Result<Exit> {
            Err(Error::internal("no commands here"))
        }

        async fn put(&self, _: Reader<'_>, _: &str) -> Result<()> {
            Err(Error::internal("no files here"))
        }

        async fn get(&self, _: &str, _: Writer<'_>) -> Result<()> {
            Err(Error::internal("no files here"))
        }

        async fn dial(&self, _: &str, _: u16) -> Result<Box<dyn Duplex>, DialError> {
            let (ours, mut theirs) = tokio::io::duplex(64);
            let (bytes, piece, asked) = (self.bytes.clone(), self.piece, Arc::clone(&self.asked));
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    if theirs.read_buf(&mut request).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                *asked.lock().unwrap() = request;
                for piece in bytes.chunks(piece) {
                    if theirs.write_all(piece).await.is_err() {
                        break;
                    }
                }
            });
            Ok(Box::new(ours))
        }
    }

    /// Status and body that the client reads from a response.
    async fn answer(bytes: &[u8], piece: usize) -> Result<(u16, Vec<u8>), String> {
        let asked = Arc::default();
        let machine = Answering { bytes: bytes.to_vec(), piece, asked: Arc::clone(&asked) };
        let request = HttpRequest {
            method: Method::GET,
            scheme: Scheme::Http,
            host: "h",
            port: 1,
            target: "/p",
            headers: &[],
            tls_verify: true,
        };
        let response = send(&machine, &request).await;
        let asked = String::from_utf8(asked.lock().unwrap().clone()).unwrap().to_lowercase();
        assert!(asked.starts_with("get /p http/1.1\r\nhost: h:1\r\n"), "{asked}");
        let response = response.map_err(|error| error.to_string())?;
        let mut body = Vec::new();
        let read = response.body.take(BODY).read_to_end(&mut body).await;
        read.map_err(|error| HttpError::of_body(&error).to_string())?;
        Ok((response.status.as_u16(), body))
    }

    #[tokio::test]
    async fn bodies_end_in_three_ways() {
        let answers: [&[u8]; 5] = [
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: x\r\n\r\n",
            b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nhello",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            b"HTTP/1.1 200\nContent-Length: 5\n\nhello",
        ];
        for bytes in answers {
            for piece in [1, 7, 4096] {
                let shown = String::from_utf8_lossy(bytes);
                let (status, body) = answer(bytes, piece).await.unwrap_or_else(|error| panic!("{shown}: {error}"));
                assert_eq!((status, body.as_slice()), (200, &b"hello"[..]), "{shown}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_not_http_is_shown() {
        let cases: [(&[u8], &str); 7] = [
            (b"SSH-2.0-OpenSSH_9.2\r\n", "the response is not HTTP; it begins with \"SSH-2.0-OpenSSH_9.2\""),
            (b"HTTP/1.1 abc\r\n\r\n", "the response is not HTTP; it begins with \"HTTP/1.1 abc\""),
            (b"", "closed before the response was complete"),
            (b"HTTP/1.1 200 OK\r\nContent-", "closed before the response was complete"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "closed before the response was complete"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "nvalid chunk size"),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
                "closed before the response was complete",
            ),
        ];
        for (bytes, expected) in cases {
            let error = answer(bytes, 4096).await.unwrap_err();
            assert!(error.contains(expected), "{}: {error}", String::from_utf8_lossy(bytes));
        }
        let endless = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 1 << 20]].concat();
        assert!(answer(&endless, 4096).await.unwrap_err().contains("not HTTP"));
    }

    #[tokio::test]
    async fn a_body_is_read_as_far_as_it_is_wanted() {
        let long = 3 * usize::try_from(BODY).unwrap();
        let whole = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; long]].concat();
        assert_eq!(answer(&whole, 65536).await.unwrap().1.len() as u64, BODY);
        let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{long:x}\r\n").into_bytes();
        assert_eq!(answer(&[head, vec![b'x'; long]].concat(), 65536).await.unwrap().1.len() as u64, BODY);
    }
}
