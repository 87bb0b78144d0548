//! An HTTP server with prepared answers that records its requests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// An answer with status, headers and body, or none.
#[derive(Debug, Clone)]
pub struct HttpAnswer(Option<(u16, String, String)>);

impl HttpAnswer {
    /// An answer with this status and body.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self(Some((status, String::new(), body.into())))
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Some((_, headers, _)) = &mut self.0 {
            headers.push_str(&format!("{name}: {value}\r\n"));
        }
        self
    }

    /// Closes the connection without an answer.
    pub fn dropped() -> Self {
        Self(None)
    }
}

/// A running server; it listens until the process ends.
#[derive(Debug)]
pub struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers each request with the next of `answers`, and with status 410 after the last.
    ///
    /// # Panics
    /// When no port is free.
    pub fn answering(answers: impl IntoIterator<Item = HttpAnswer>) -> Self {
        let answers: Vec<HttpAnswer> = answers.into_iter().collect();
        let gone = HttpAnswer::text(410, "no answer was prepared");
        Self::serving(move |number, _| answers.get(number).cloned().unwrap_or_else(|| gone.clone()))
    }

    /// Calls `answer` for each request with its number from zero and its text: head and body.
    ///
    /// # Panics
    /// When no port is free.
    pub fn serving(answer: impl Fn(usize, &str) -> HttpAnswer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&requests);
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                // A connection that a client keeps for later does not hold up the others. A client that disconnects
                // early is not an error of the server.
                std::thread::spawn(move || _ = serve(&stream, &seen, &*answer));
            }
        });
        Self { port, requests }
    }

    /// Address of the server.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The requests so far: head and body of each.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(
    stream: &TcpStream,
    seen: &Mutex<Vec<String>>,
    answer: &impl Fn(usize, &str) -> HttpAnswer,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    let mut length = 0;
    // Clients also connect without a request: hyper does when another connection becomes free first.
    loop {
        match reader.read_line(&mut request)? {
            0 => return Ok(()),
            1 | 2 => break,
            _ => {}
        }
        let line = request.lines().last().unwrap_or_default().to_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    request.push_str(&String::from_utf8_lossy(&body));
    let number = {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(request.clone());
        seen.len() - 1
    };
    let HttpAnswer(Some((status, headers, body))) = answer(number, &request) else { return Ok(()) };
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status} \r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}",
        body.len()
    )
}
