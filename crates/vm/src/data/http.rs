//! The little of an HTTP/1.1 server that clients of a metadata service need. hyper's server would be compiled for this
//! alone, and with it everything above hyper a second time.

use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Limit of a request with its headers, in bytes.
const LIMIT: usize = 16 << 10;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
}

impl Request {
    /// The value of a header; its name is in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Response {
    /// Status code and reason.
    pub(super) status: &'static str,
    /// Further headers.
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Response {
    /// An answer without a body.
    pub(super) fn empty(status: &'static str) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// An answer with a text.
    pub(super) fn text(body: impl Into<Vec<u8>>) -> Self {
        Self { status: "200 OK", headers: Vec::new(), body: body.into() }
    }
}

/// Answers the requests of a connection until the client closes it.
pub(super) async fn answer<S>(mut stream: S, handler: impl Fn(&Request) -> Response) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = Vec::new();
    while let Some(request) = read(&mut stream, &mut buffer).await? {
        let response = handler(&request);
        let mut head = format!(
            "HTTP/1.1 {}\r\nContent-Type: text/plain\r\nServer: EC2ws\r\nContent-Length: {}\r\n",
            response.status,
            response.body.len()
        );
        for (name, value) in &response.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let last = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        head.push_str(if last { "Connection: close\r\n\r\n" } else { "\r\n" });
        let mut bytes = head.into_bytes();
        if request.method != "HEAD" {
            bytes.extend_from_slice(&response.body);
        }
        stream.write_all(&bytes).await?;
        stream.flush().await?;
        if last {
            break;
        }
    }
    stream.shutdown().await
}

/// Reads a request with its body, which is dropped. `None` at the end of the connection.
async fn read(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Result<Option<Request>> {
    loop {
        if let Some((request, length)) = parse(buffer)? {
            while buffer.len() < length {
                if stream.read_buf(buffer).await? == 0 {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
            }
            buffer.drain(..length);
            return Ok(Some(request));
        }
        if buffer.len() > LIMIT {
            return Err(Error::new(ErrorKind::InvalidData, "the request is too long"));
        }
        if stream.read_buf(buffer).await? == 0 {
            return if buffer.is_empty() { Ok(None) } else { Err(ErrorKind::UnexpectedEof.into()) };
        }
    }
}

/// A request at the beginning of the bytes, and the length of it with its body; `None` if its headers are not complete.
fn parse(bytes: &[u8]) -> Result<Option<(Request, usize)>> {
    let invalid = |why: String| Error::new(ErrorKind::InvalidData, why);
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) =
        request.parse(bytes).map_err(|error| invalid(format!("not an HTTP request: {error}")))?
    else {
        return Ok(None);
    };
    let text = |value: &[u8]| String::from_utf8_lossy(value).trim().to_owned();
    let request = Request {
        method: request.method.unwrap_or_default().to_owned(),
        path: request.path.unwrap_or_default().to_owned(),
        headers: request.headers.iter().map(|one| (one.name.to_ascii_lowercase(), text(one.value))).collect(),
    };
    let body = match request.header("content-length").map(str::parse::<usize>) {
        None => 0,
        Some(Ok(length)) if length <= LIMIT => length,
        Some(_) => return Err(invalid("the length of the request is not valid".to_owned())),
    };
    Ok(Some((request, head + body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_are_answered_one_after_another() {
        let (mut client, server) = tokio::io::duplex(1 << 16);
        let serving =
            tokio::spawn(answer(server, |request| Response::text(format!("{} {}", request.method, request.path))));
        let text = "PUT /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyzGET /b HTTP/1.1\r\nConnection: close\r\n\r\n";
        // In small pieces, as a network delivers them.
        for piece in text.as_bytes().chunks(7) {
            client.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut seen = String::new();
        client.read_to_string(&mut seen).await.unwrap();
        assert!(seen.contains("\r\n\r\nPUT /aHTTP/1.1 200 OK") && seen.ends_with("\r\n\r\nGET /b"), "{seen}");
        serving.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_is_not_http_or_endless_is_refused() {
        for text in ["\u{1}\u{2}\u{3}\r\n\r\n".to_owned(), format!("GET /{} HTTP/1.1\r\n", "x".repeat(LIMIT + 1))] {
            let (mut client, server) = tokio::io::duplex(1 << 16);
            client.write_all(text.as_bytes()).await.unwrap();
            drop(client);
            assert!(answer(server, |_| Response::empty("200 OK")).await.is_err());
        }
    }
}
