//! Tests of `WebDownload` with a server on this machine.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::fixture::Fixture;

/// A server that answers by path; the first two requests for `/shaky` fail.
struct Server {
    port: u16,
    asked: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut shaky = 0;
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::Relaxed);
                let _ = answer(stream, &mut shaky);
            }
        });
        Self { port, asked }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

fn answer(mut stream: TcpStream, shaky: &mut usize) -> std::io::Result<()> {
    let mut line = String::new();
    let mut reader = BufReader::new(stream.try_clone()?);
    reader.read_line(&mut line)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let whole = |text: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
    let path = line.split(' ').nth(1).unwrap_or_default();
    let text = match path {
        "/app.zip" | "/q?a=1" => whole("abc"),
        "/moved" => "HTTP/1.1 302 Found\r\nLocation: /app.zip\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "/chunked" => {
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n".to_owned()
        }
        "/shaky" => {
            *shaky += 1;
            match *shaky {
                1 => "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_owned(),
                2 => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly a half".to_owned(),
                _ => whole("at last"),
            }
        }
        "/large" => {
            let body = "0123456789".repeat(300_000);
            whole(&body)
        }
        _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
    };
    stream.write_all(text.as_bytes())
}

const SHA256: &str = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";

#[tokio::test]
async fn files_come_through_the_machine() {
    let (mut fixture, server) = (Fixture::new().await, Server::start());
    let text = fixture
        .build(&format!(
            r#"
- name: Get
  action: WebDownload
  inputs:
    - {{source: "{}", destination: /opt/new/}}
    - {{source: "{}", destination: /opt/new/renamed, checksum: {SHA256}, algorithm: sha256}}
    - {{source: "{}", destination: /opt/new/chunked}}
    - {{source: "{}", destination: /opt/new/shaky, checksum: 5c5b2fdb93c0e6d0c1ed0a8b8d4f3c1c, algorithm: MD5}}
- {{name: Told, action: ExecuteBash, inputs: {{commands: ["echo '{{{{ build.Get.outputs.destination }}}}'"]}}}}
"#,
            server.url("/app.zip"),
            server.url("/moved"),
            server.url("/chunked"),
            server.url("/shaky"),
        ))
        .await;
    // The correct checksum is only known afterwards; the error has the checksum of what was sent last.
    let error = text.fails();
    assert!(error.contains("its checksum is"), "{error}");
    let text = fixture
        .build(&format!(
            "- name: Get\n  action: WebDownload\n  inputs: [{{source: '{}', destination: /opt/new/shaky}}, {{source: '{}', destination: /opt/new/large}}]\n- {{name: Told, action: ExecuteBash, inputs: {{commands: [\"echo '{{{{ build.Get.outputs.destination }}}}'\"]}}}}",
            server.url("/shaky"),
            server.url("/large")
        ))
        .await
        .passes();
    assert_eq!(text, "/opt/new/shaky\n/opt/new/large\n");
    let seen = fixture
        .sh("cd /opt/new; cat app.zip renamed chunked shaky; echo; stat -c %s large; ls -A | grep -c ami-bake || true")
        .await;
    assert_eq!(seen, "abcabcabcdefgat last\n3000000\n0\n");
    // With its checksum an existing file is not downloaded again.
    let before = server.asked.load(Ordering::Relaxed);
    let again = format!(
        "- {{name: A, action: WebDownload, inputs: [{{source: '{}', destination: /opt/new/app.zip, checksum: {SHA256}, algorithm: SHA256}}]}}",
        server.url("/app.zip")
    );
    fixture.build(&again).await.passes();
    assert_eq!(server.asked.load(Ordering::Relaxed), before);
    for (inputs, expected) in [
        (
            format!("source: '{}', destination: /opt/x", server.url("/none?token=wal-nut")),
            "/none answers with 404 Not Found",
        ),
        (
            format!("source: '{}', destination: /opt/new/app.zip, overwrite: false", server.url("/app.zip")),
            "overwrite is false",
        ),
        (
            format!("source: '{}', destination: /opt/y, checksum: 00, algorithm: MD5", server.url("/app.zip")),
            "its checksum is 900150983cd24fb0d6963f7d28e17f72, not 00",
        ),
        (format!("source: '{}', destination: /opt/", server.url("/")), "has no file name"),
        ("source: 'http://127.0.0.1:1/x', destination: /opt/x".to_owned(), "connect to 127.0.0.1:1"),
    ] {
        let error = fixture
            .build(&format!("- {{name: A, action: WebDownload, timeoutSeconds: 600, inputs: [{{{inputs}}}]}}"))
            .await
            .fails();
        assert!(error.contains(expected) && !error.contains("wal-nut"), "{error}");
    }
    assert_eq!(fixture.sh("ls -A /opt | grep -e ami-bake -e '^[xy]$' || true").await, "");
}

/// openssl's own server, with a self-signed certificate.
#[tokio::test]
async fn a_certificate_is_believed_only_when_it_is_asked_for() {
    use std::io::Read as _;

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2", "-keyout"])
        .args([&at("key"), "-out", &at("cert")])
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(made.success(), "openssl is missing; this test needs it: apt-get install -y openssl");
    std::fs::write(folder.path().join("app"), "over tls").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut server = std::process::Command::new("openssl")
        .args(["s_server", "-WWW", "-accept", &port.to_string(), "-key", &at("key"), "-cert", &at("cert")])
        .current_dir(folder.path())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut ready = [0; 6];
    server.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    let mut fixture = Fixture::new().await;
    let steps = |more: &str| {
        format!(
            "- {{name: A, action: WebDownload, inputs: [{{source: 'https://localhost:{port}/app', destination: /opt/app{more}}}]}}"
        )
    };
    let strict = fixture.build(&steps("")).await;
    let lax = fixture.build(&steps(", ignoreCertificateErrors: true")).await;
    server.kill().unwrap();
    server.wait().unwrap();
    let error = strict.fails();
    assert!(error.contains("its certificate is not trusted") && error.contains("SSL_CERT_FILE"), "{error}");
    lax.passes();
    assert_eq!(fixture.sh("cat /opt/app").await, "over tls");
}
