//! `expect: {http: {scheme: https}}` against a real TLS server: Python's, with a certificate that openssl made.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ami_bake_core::plan::{Expectation, HttpProbe, Probe, Scheme, Step, StepAction};
use tokio::net::TcpListener;

use crate::fixture::{Fixture, step};

const SERVER: &str = r#"
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.send_header("Content-Length", "8")
        self.end_headers()
        self.wfile.write(b"over tls")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
if len(sys.argv) > 1:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

/// A server, with TLS or without.
struct Server {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Server {
    /// A server with a self-signed certificate for 127.0.0.1.
    fn tls() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=web", "-addext", "subjectAltName=IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(&folder)
            .stderr(Stdio::null())
            .status();
        assert!(made.unwrap().success(), "openssl is missing; this test needs it: apt-get install -y openssl");
        Self::start(folder, &["cert.pem", "key.pem"])
    }

    /// A server without TLS.
    fn plain() -> Self {
        Self::start(tempfile::tempdir().unwrap(), &[])
    }

    fn start(folder: tempfile::TempDir, args: &[&str]) -> Self {
        let mut child = Command::new("python3")
            .args(["-c", SERVER])
            .args(args)
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, port: line.trim().parse().unwrap(), folder }
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn https(port: u16, tls_verify: bool) -> HttpProbe {
    HttpProbe {
        scheme: Scheme::Https,
        tls_verify,
        host: None,
        port,
        path: "/health".to_owned(),
        status: Some(200),
        body: Some("over tls".to_owned()),
        headers: [("content-length".to_owned(), "8".to_owned())].into(),
    }
}

fn expect(probe: HttpProbe) -> Step {
    let mut step = step(StepAction::Expect(Expectation { probe: Probe::Http(probe) }));
    step.timeout = Some(Duration::from_millis(10));
    step
}

/// Message and help of the failure.
async fn fails(probe: HttpProbe) -> (String, String) {
    let error = Fixture::skipping(|| ()).0.fails(&expect(probe)).await;
    (error.message().to_owned(), error.help_text().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_self_signed_certificate_is_accepted_only_without_verification() {
    let server = Server::tls();
    Fixture::skipping(|| ()).0.passes(&expect(https(server.port, false))).await;
    let (message, help) = fails(https(server.port, true)).await;
    let url = format!("https://127.0.0.1:{}/health", server.port);
    assert!(message.contains(&format!("expected {url} to answer, but its certificate is not trusted (")), "{message}");
    assert!(help.contains("`tls-verify: false` accepts any certificate"), "{help}");
    let mut missing = https(server.port, false);
    missing.path = "/none".to_owned();
    let (message, _) = fails(missing).await;
    assert!(message.contains("/none, got 404 for"), "{message}");
}

/// A process reads the root certificates once, so other roots need another process: this test runs itself again.
#[tokio::test]
async fn a_certificate_is_verified_for_the_host_by_the_roots() {
    const PORT: &str = "AMI_BAKE_TEST_PORT";
    let Some(port) = std::env::var_os(PORT) else {
        let server = Server::tls();
        let name = "https::a_certificate_is_verified_for_the_host_by_the_roots";
        let ran = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(PORT, server.port.to_string())
            .env("SSL_CERT_FILE", server.certificate())
            .output()
            .await
            .unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success() && text.contains("1 passed"), "{text}");
        return;
    };
    let port = port.to_str().unwrap().parse().unwrap();
    Fixture::skipping(|| ()).0.passes(&expect(https(port, true))).await;
    let mut elsewhere = https(port, true);
    elsewhere.host = Some("localhost".to_owned());
    let (message, help) = fails(elsewhere).await;
    assert!(
        message.contains("its certificate is not trusted (certificate not valid for name \"localhost\""),
        "{message}"
    );
    assert!(help.contains("valid for `host`"), "{help}");
}

#[tokio::test]
async fn a_server_that_speaks_something_else_is_recognized() {
    let (tls, plain) = (Server::tls(), Server::plain());
    let (message, help) = fails(https(plain.port, true)).await;
    assert!(message.contains("to answer, but the server does not speak TLS"), "{message}");
    assert!(help.contains("Remove `scheme: https`"), "{help}");
    let mut http = https(tls.port, true);
    http.scheme = Scheme::Http;
    let (message, _) = fails(http).await;
    assert!(message.contains(&format!("expected http://127.0.0.1:{}/health to answer, but ", tls.port)), "{message}");
    let (message, _) = fails(https(1, true)).await;
    assert!(message.contains("expected https://127.0.0.1:1/health to answer, but could not connect for"), "{message}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_recognized() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (fixture, clock) = Fixture::skipping(|| ());
    let silent = async {
        let accepted = listener.accept().await.unwrap();
        clock.advance(Duration::from_secs(8));
        accepted
    };
    let step = expect(https(port, false));
    let (error, _) = tokio::join!(fixture.fails(&step), silent);
    let message = error.message();
    assert!(message.contains("but it accepted the connection and sent no answer within 8 s for"), "{message}");
    let closing = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    let (message, _) = fails(https(port, false)).await;
    closing.abort();
    assert!(message.contains("the connection was closed before the response was complete"), "{message}");
}
