//! Tests of `expect`, `wait` and `reboot`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ami_bake_core::plan::{Expectation, HttpProbe, Probe, Scheme, Step, StepAction, WaitFor, WaitStep};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::fixture::{Fixture, step};

fn expect(probe: Probe) -> Step {
    let mut step = step(StepAction::Expect(Expectation { probe }));
    step.timeout = Some(Duration::from_millis(10));
    step
}

async fn holds(probe: Probe) {
    Fixture::skipping(|| ()).0.passes(&expect(probe)).await;
}

/// The message of a failed assertion, without the time that it took.
async fn not(probe: Probe) -> String {
    let error = Fixture::skipping(|| ()).0.fails(&expect(probe)).await;
    assert!(error.help_text().is_some());
    assert_eq!(error.route().unwrap().to_string(), "images.web.build[0]");
    let text = error.message().strip_prefix("step `it`: ").unwrap().to_owned();
    let (fact, rest) = text.rsplit_once(" for ").unwrap();
    match rest.split_once("; ") {
        Some((_, more)) => format!("{fact}; {more}"),
        None => fact.to_owned(),
    }
}

/// Starts a server that answers every request with these bytes; returns its port.
async fn server(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = vec![0; 4096];
            let _ = stream.read(&mut asked).await;
            let _ = stream.write_all(answer).await;
        }
    });
    port
}

fn http(port: u16, status: Option<u16>, body: Option<&str>, headers: &[(&str, &str)]) -> Probe {
    Probe::Http(HttpProbe {
        scheme: Scheme::Http,
        tls_verify: true,
        host: None,
        port,
        path: "/health".to_owned(),
        status,
        body: body.map(str::to_owned),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    })
}

#[tokio::test]
async fn http_answers() {
    let port = server(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 11\r\n\r\nWelcome all").await;
    holds(http(port, None, None, &[])).await;
    holds(http(port, Some(200), Some("Welcome"), &[("content-type", "text/html")])).await;
    let url = format!("http://127.0.0.1:{port}/health");
    assert_eq!(
        not(http(port, Some(200), Some("Goodbye"), &[])).await,
        format!(
            "expected the body of {url} to contain \"Goodbye\", which it did not; the body begins with \"Welcome all\""
        )
    );
    assert_eq!(
        not(http(port, None, None, &[("content-type", "json")])).await,
        format!("expected the header `content-type` of {url} to contain \"json\", got \"text/html\"")
    );
    assert_eq!(
        not(http(port, None, None, &[("x-y", "z")])).await,
        format!("expected the header `x-y` of {url} to contain \"z\", there is no such header")
    );
    assert_eq!(
        not(http(port, Some(204), None, &[])).await,
        format!("expected status 204 from {url}, got 200; the body begins with \"Welcome all\"")
    );

    let port = server(b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nlate\r\n0\r\n\r\n").await;
    let url = format!("http://127.0.0.1:{port}/health");
    assert_eq!(
        not(http(port, None, None, &[])).await,
        format!("expected a status from 200 to 399 from {url}, got 503; the body begins with \"late\"")
    );
    holds(http(port, Some(503), Some("late"), &[])).await;
    let port = server(b"SSH-2.0-OpenSSH_9.2\r\n").await;
    assert_eq!(
        not(http(port, None, None, &[])).await,
        format!(
            "expected http://127.0.0.1:{port}/health to answer, but the response is not HTTP; it begins with \"SSH-2.0-OpenSSH_9.2\""
        )
    );
    let error = Fixture::skipping(|| ()).0.fails(&expect(http(1, None, None, &[]))).await;
    assert!(
        error.message().contains("expected http://127.0.0.1:1/health to answer, but could not connect for "),
        "{error}"
    );
}

#[tokio::test]
async fn a_slow_server_is_polled_until_it_is_there() {
    // Accepts the first connection without sending anything; the second gets its response in small pieces.
    let (fixture, clock) = Fixture::skipping(|| ());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (_silent, _) = listener.accept().await.unwrap();
        clock.advance(Duration::from_secs(10));
        let (mut stream, _) = listener.accept().await.unwrap();
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" {
            stream.write_all(&[*byte]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let mut step = expect(http(port, Some(200), Some("ok"), &[]));
    step.timeout = Some(Duration::from_secs(30));
    fixture.passes(&step).await;
}

#[tokio::test]
async fn ports() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let probe = |open| Probe::Port { host: None, port, open };
    holds(probe(true)).await;
    assert_eq!(
        not(probe(false)).await,
        format!("expected port {port} of 127.0.0.1 to be closed, but it accepted a connection")
    );
    drop(listener);
    holds(probe(false)).await;
    assert_eq!(not(probe(true)).await, format!("expected port {port} of 127.0.0.1 to be open, but could not connect"));
}

#[tokio::test]
async fn packages() {
    let probe = |name: &str, version: Option<&str>, installed| Probe::Package {
        name: name.to_owned(),
        version: version.map(str::to_owned),
        installed,
    };
    let version = Fixture::new().shell.sh("dpkg-query -W -f '${Version}' dpkg").await;
    let start = version.split('.').next().unwrap();
    holds(probe("dpkg", None, true)).await;
    holds(probe("dpkg", Some(start), true)).await;
    holds(probe("no-such-package", None, false)).await;
    assert_eq!(
        not(probe("no-such-package", None, true)).await,
        "expected the package `no-such-package` to be installed, but it is not"
    );
    assert_eq!(
        not(probe("dpkg", None, false)).await,
        format!("expected the package `dpkg` not to be installed, but {version} is")
    );
    assert_eq!(
        not(probe("dpkg", Some("99."), true)).await,
        format!("expected the package `dpkg` in a version that begins with 99., but {version} is installed")
    );
}

#[tokio::test]
async fn files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a file").to_str().unwrap().to_owned();
    std::fs::write(&path, "first line\nsecond 'line'\n").unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    let make = |text: Option<&str>, bits: Option<u32>, who: Option<&str>, sum: Option<&str>| Probe::File {
        path: path.clone(),
        exists: true,
        contains: text.map(str::to_owned),
        mode: bits,
        owner: who.map(str::to_owned),
        sha256: sum.map(str::to_owned),
    };
    holds(make(None, None, None, None)).await;
    holds(make(Some("line\nsecond 'l"), Some(0o640), Some("root"), None)).await;
    holds(make(Some("second 'line'"), None, Some("root:root"), None)).await;
    let sum = Fixture::new().shell.sh(&format!("sha256sum < '{path}'")).await[..64].to_owned();
    holds(make(None, None, None, Some(&sum.to_uppercase()))).await;
    assert_eq!(
        not(make(Some("third"), None, None, None)).await,
        format!("expected `{path}` to contain \"third\", but it does not")
    );
    assert_eq!(
        not(make(Some("first line\nthird"), None, None, None)).await,
        format!("expected `{path}` to contain \"first line\nthird\", but it does not")
    );
    assert_eq!(
        not(make(None, Some(0o600), None, None)).await,
        format!("expected the mode of `{path}` to be 0600, but it is 0640")
    );
    assert_eq!(
        not(make(None, None, Some("daemon"), None)).await,
        format!("expected the owner of `{path}` to be `daemon`, but it is `root:root`")
    );
    assert_eq!(
        not(make(None, None, None, Some("00"))).await,
        format!("expected the SHA-256 of `{path}` to be 00, but it is {sum}")
    );
    let other = |path: &str, exists| Probe::File {
        path: path.to_owned(),
        exists,
        contains: None,
        mode: None,
        owner: None,
        sha256: None,
    };
    holds(other("/no/such", false)).await;
    assert_eq!(not(other("/no/such", true)).await, "expected `/no/such` to exist, but it does not");
    assert_eq!(not(other(&path, false)).await, format!("expected `{path}` not to exist, but it does"));
    let link = folder.path().join("link").to_str().unwrap().to_owned();
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    assert_eq!(not(other(&link, true)).await, format!("expected `{link}` to exist, but it is a dangling link"));
}

#[tokio::test]
async fn users() {
    let probe = |name: &str, exists, groups: &[&str], shell: Option<&str>, home: Option<&str>| Probe::User {
        name: name.to_owned(),
        exists,
        groups: groups.iter().map(ToString::to_string).collect(),
        shell: shell.map(str::to_owned),
        home: home.map(str::to_owned),
    };
    holds(probe("daemon", true, &["daemon"], Some("/usr/sbin/nologin"), Some("/usr/sbin"))).await;
    holds(probe("no-such", false, &[], None, None)).await;
    assert_eq!(
        not(probe("no-such", true, &[], None, None)).await,
        "expected the user `no-such` to exist, but it does not"
    );
    assert_eq!(
        not(probe("daemon", false, &[], None, None)).await,
        "expected the user `daemon` not to exist, but it does"
    );
    assert_eq!(
        not(probe("daemon", true, &["docker"], None, None)).await,
        "expected the user `daemon` in the group `docker`, but it is in daemon"
    );
    assert_eq!(
        not(probe("daemon", true, &[], Some("/bin/zsh"), None)).await,
        "expected the login shell of `daemon` to be `/bin/zsh`, but it is `/usr/sbin/nologin`"
    );
    assert_eq!(
        not(probe("daemon", true, &[], None, Some("/x"))).await,
        "expected the home folder of `daemon` to be `/x`, but it is `/usr/sbin`"
    );
}

#[tokio::test]
async fn commands() {
    let probe = |run: &str, status, stdout: Option<&str>, stderr: Option<&str>| Probe::Command {
        run: run.to_owned(),
        status,
        stdout: stdout.map(str::to_owned),
        stderr: stderr.map(str::to_owned),
    };
    holds(probe("echo out; echo err >&2; cat; exit 3", 3, Some("out"), Some("err"))).await;
    assert_eq!(
        not(probe("echo no >&2; exit 4", 0, None, None)).await,
        "expected `echo no >&2; exit 4` to exit with status 0, but it exited with status 4, its last line: no"
    );
    assert_eq!(
        not(probe("echo out", 0, Some("in"), None)).await,
        "expected the standard output of `echo out` to contain \"in\", but it was \"out\""
    );
    assert_eq!(
        not(probe("echo out", 0, None, Some("x"))).await,
        "expected the standard error of `echo out` to contain \"x\", but it is empty"
    );
}

#[tokio::test]
async fn it_is_polled_and_the_last_answer_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("late");
    let probe = Probe::File {
        path: path.to_str().unwrap().to_owned(),
        exists: true,
        contains: None,
        mode: None,
        owner: None,
        sha256: None,
    };
    let mut late = expect(probe);
    late.timeout = Some(Duration::from_millis(1500));
    let error = Fixture::skipping(|| ()).0.fails(&late).await;
    assert!(error.message().ends_with("to exist, but it does not for 1.5s"), "{error}");
    // The file is created between two attempts.
    let (fixture, _) = Fixture::skipping(move || std::fs::write(&path, "").unwrap());
    fixture.passes(&late).await;
    assert_eq!(fixture.shell.commands.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn waits() {
    let wait = |until, limit| {
        let mut step = step(StepAction::Wait(WaitStep { until, interval: Some(Duration::from_millis(50)) }));
        step.timeout = Some(limit);
        step
    };
    let (long, short) = (Duration::from_mins(5), Duration::from_secs(2));
    let (fixture, _) = Fixture::skipping(|| ());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    fixture.passes(&wait(WaitFor::Port(port), long)).await;
    drop(listener);
    let error = fixture.fails(&wait(WaitFor::Port(port), short)).await;
    assert!(
        error.message().starts_with(&format!("step `it`: nothing listened on port {port} of the machine within ")),
        "{error}"
    );
    fixture.passes(&wait(WaitFor::File("/etc/passwd".to_owned()), long)).await;
    let error = fixture.fails(&wait(WaitFor::File("/no/such".to_owned()), short)).await;
    assert!(error.message().starts_with("step `it`: `/no/such` did not appear on the machine within "), "{error}");
    fixture.passes(&wait(WaitFor::Command("true".to_owned()), long)).await;
    let error = fixture.fails(&wait(WaitFor::Command("echo not yet; false".to_owned()), short)).await;
    assert!(error.message().contains("the command `echo not yet; false` did not exit with 0 within "), "{error}");
    assert!(error.message().ends_with("last result: it exited with status 1, its last line: not yet"), "{error}");
}

#[tokio::test]
async fn a_reboot_is_the_machines() {
    let fixture = Fixture::new();
    fixture.passes(&step(StepAction::Reboot)).await;
    assert_eq!(fixture.machine.reboots.load(Ordering::Relaxed), 1);
}
