//! A small HTTP/1.1 client for one GET over a stream that is there already (RFC 9112): enough for an assertion.

use std::fmt;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use ami_bake_core::communicator::Duplex;

use super::chunked::Chunked;

/// More of a body isn't read: no text that an assertion looks for stands later.
const BODY: usize = 1 << 20;
/// Longer heads are refused, as servers and clients commonly do.
const HEAD: usize = 64 << 10;

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: u16,
    /// Names in lower case, in the order of the answer.
    pub(super) headers: Vec<(String, String)>,
    /// At most 1 MiB of it.
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Broken {
    /// The connection failed.
    Io(std::io::Error),
    /// It was closed before the answer was whole.
    Early,
    /// The answer is not HTTP; it began like this.
    Garbage(Vec<u8>),
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the connection failed ({error})"),
            Self::Early => f.write_str("the connection was closed before the answer was whole"),
            Self::Garbage(start) => {
                let start = crate::text::excerpt(&String::from_utf8_lossy(start), 60);
                write!(f, "the answer is not HTTP; it began with \"{start}\"")
            }
        }
    }
}

/// Asks for `path`. `host` is the value of the Host header.
pub(super) async fn get(stream: &mut dyn Duplex, host: &str, path: &str) -> Result<Response, Broken> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: ami-bake\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut buffer = Vec::new();
    loop {
        let (status, headers) = head(stream, &mut buffer).await?;
        // 1xx are heads before the head (RFC 9110, 15.2).
        if !(100..200).contains(&status) {
            let body = body(stream, status, &headers, buffer).await?;
            return Ok(Response { status, headers, body });
        }
    }
}

type Head = (u16, Vec<(String, String)>);

/// Reads one head; what follows it stays in `buffer`.
async fn head(stream: &mut dyn Duplex, buffer: &mut Vec<u8>) -> Result<Head, Broken> {
    loop {
        if let Some((end, length)) = end_of_head(buffer) {
            let head = parse(&buffer[..end]).ok_or_else(|| Broken::Garbage(buffer.clone()))?;
            buffer.drain(..end + length);
            return Ok(head);
        }
        let start = &buffer[..buffer.len().min(5)];
        if buffer.len() > HEAD || !b"HTTP/".starts_with(start) {
            return Err(Broken::Garbage(std::mem::take(buffer)));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(Broken::Early);
        }
    }
}

/// Where the empty line is, and how long. Servers that end lines with LF alone are common enough.
fn end_of_head(buffer: &[u8]) -> Option<(usize, usize)> {
    let find = |mark: &[u8]| buffer.windows(mark.len()).position(|window| window == mark).map(|at| (at, mark.len()));
    [find(b"\r\n\r\n"), find(b"\n\n")].into_iter().flatten().min()
}

fn parse(head: &[u8]) -> Option<Head> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines();
    let mut words = lines.next()?.splitn(3, ' ');
    words.next()?.strip_prefix("HTTP/1.")?;
    let status = words.next().filter(|word| word.len() == 3)?.parse().ok()?;
    let headers = lines
        .map(|line| {
            line.split_once(':').map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        })
        .collect::<Option<_>>()?;
    Some((status, headers))
}

/// Reads the body, by RFC 9112, 6.3.
async fn body(
    stream: &mut dyn Duplex,
    status: u16,
    headers: &[(String, String)],
    start: Vec<u8>,
) -> Result<Vec<u8>, Broken> {
    let header = |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    if status == 204 || status == 304 {
        return Ok(Vec::new());
    }
    if header("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().ends_with("chunked")) {
        let mut chunked = Chunked::default();
        let mut next = start;
        loop {
            let taken = chunked.feed(&next).map_err(|()| Broken::Garbage(next.clone()))?;
            if taken || chunked.body.len() >= BODY {
                chunked.body.truncate(BODY);
                return Ok(chunked.body);
            }
            next.clear();
            if stream.read_buf(&mut next).await? == 0 {
                return Err(Broken::Early);
            }
        }
    }
    let length = match header("content-length") {
        Some(text) => Some(text.parse::<usize>().map_err(|_| Broken::Garbage(text.as_bytes().to_vec()))?),
        None => None,
    };
    let want = length.unwrap_or(BODY).min(BODY);
    let mut body = start;
    while body.len() < want {
        if stream.read_buf(&mut body).await? == 0 {
            if length.is_some() {
                return Err(Broken::Early);
            }
            break;
        }
    }
    body.truncate(want);
    Ok(body)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// What the client makes of an answer, sent in pieces of `piece` bytes.
    async fn answer(bytes: &[u8], piece: usize) -> Result<Response, String> {
        let (mut ours, mut theirs) = tokio::io::duplex(64);
        let bytes = bytes.to_vec();
        let server = tokio::spawn(async move {
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                theirs.read_buf(&mut asked).await.unwrap();
            }
            for piece in bytes.chunks(piece) {
                if theirs.write_all(piece).await.is_err() {
                    break;
                }
            }
            String::from_utf8(asked).unwrap()
        });
        let response = get(&mut ours, "h:1", "/p").await.map_err(|broken| broken.to_string());
        drop(ours);
        assert!(server.await.unwrap().starts_with("GET /p HTTP/1.1\r\nHost: h:1\r\n"));
        response
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
                let response = answer(bytes, piece).await.unwrap();
                assert_eq!(
                    (response.status, response.body.as_slice()),
                    (200, &b"hello"[..]),
                    "{}",
                    String::from_utf8_lossy(bytes)
                );
            }
        }
    }

    #[tokio::test]
    async fn what_is_not_http_is_told() {
        let cases: [(&[u8], &str); 6] = [
            (b"SSH-2.0-OpenSSH_9.2\r\n", "the answer is not HTTP; it began with \"SSH-2.0-OpenSSH_9.2\""),
            (b"HTTP/1.1 abc\r\n\r\n", "the answer is not HTTP"),
            (b"", "closed before the answer was whole"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "closed before"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "not HTTP"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", "closed before"),
        ];
        for (bytes, expected) in cases {
            let error = answer(bytes, 4096).await.unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        let endless = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 2 * HEAD]].concat();
        assert!(answer(&endless, 4096).await.unwrap_err().contains("not HTTP"));
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        let long = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 3 * BODY]].concat();
        assert_eq!(answer(&long, 65536).await.unwrap().body.len(), BODY);
        let chunk = [
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n", 3 * BODY).into_bytes(),
            vec![b'x'; 3 * BODY],
        ]
        .concat();
        assert_eq!(answer(&chunk, 65536).await.unwrap().body.len(), BODY);
    }
}
