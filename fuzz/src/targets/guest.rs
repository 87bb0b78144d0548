//! Targets for what a machine sends: SSH banner and packets, archives, output, facts, HTTP.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ami_bake_core::archive::ArchiveLimits;
use ami_bake_core::communicator::{Communicator, DialError, Duplex, Exec, Exit, Reader, Writer};
use ami_bake_core::console;
use ami_bake_core::mask::Masker;
use ami_bake_core::output::{Collect, Line, LineSplitter, OutputSink, Stream, sanitize};
use ami_bake_core::plan::{DownloadStep, OnFailure, Step, StepAction};
use ami_bake_core::provision::{ConnectedMachine, Provisioner as _};
use ami_bake_core::{Error, Result, Route};
use ami_bake_ssh::{HostKey, Key, KeyType, Ssh, Target, Timing};
use ami_bake_steps::StepRunner;
use ami_bake_testkit::runs;
use ami_bake_testkit::shell::HostMachine;
use async_trait::async_trait;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Unpacks an archive as the answer to a download of a folder, and of a file.
pub(super) fn archive(input: &[u8]) {
    for answer in ["folder\n", "file\n"] {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("inside"), folder.path().join("outside"));
        std::fs::create_dir(&inside).unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("kept"), "as it was").unwrap();
        let machine = Guest { answers: Mutex::new(Vec::new()), last: answer.into(), archive: input.to_vec() };
        alone(async {
            let step = download(&inside);
            let (run, _events) = runs::run();
            let host = HostMachine::default();
            let on = ConnectedMachine { machine: &host, communicator: Arc::new(machine) };
            let _ = StepRunner::default().apply(&run, &on, &step, &mut Collect::default()).await;
        });
        // Nothing may be written outside, through any link.
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "something was written beside the folder");
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1, "something was written into another folder");
        assert_eq!(std::fs::read_to_string(outside.join("kept")).unwrap(), "as it was");
    }
}

/// Unpacks a root file system in a tarball (`source: {tarball: …}`), which uploads into a sandbox also use.
pub(super) fn root_archive(input: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let (root, outside) = (folder.path().join("root"), folder.path().join("outside"));
    std::fs::create_dir(&root).unwrap();
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("kept"), "as it was").unwrap();
    // Links in an archive do not lead outside, either.
    std::os::unix::fs::symlink(&outside, root.join("link")).unwrap();
    let limits = ArchiveLimits { files: 1000, size: 16 << 20, depth: 64 };
    let _ = ami_bake_local::sandbox::unpack(input, &root, std::path::Path::new("srv"), limits);
    let _ = ami_bake_local::sandbox::unpack(input, &root, std::path::Path::new(""), limits);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "something was written beside the folder");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1, "something was written into another folder");
    assert_eq!(std::fs::read_to_string(outside.join("kept")).unwrap(), "as it was");
}

/// The nonce that a bake writes to a console before the machine is stopped.
const NONCE: &str = "ami-bake-down-7d1f";

/// Reads the serial console of a machine: its host key, and whether it is down.
pub(super) fn console(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for key in console::host_keys(&text) {
        assert!(!key.contains('\n'), "a host key is one line");
        let _ = HostKey::parse(key);
    }
    let went_down = console::is_down(&text, NONCE, console::POWER_DOWN);
    assert!(!went_down || text.find(NONCE) < text.rfind(console::POWER_DOWN), "down before it was asked to go down");
    assert!(!console::is_down(&format!("{text}\n{NONCE}\n"), NONCE, console::POWER_DOWN), "an old line proves nothing");
}

fn download(to: &std::path::Path) -> Step {
    Step {
        name: "download".to_owned(),
        route: Route::root(),
        action: StepAction::Download(DownloadStep {
            from: "/srv/logs".to_owned(),
            to: PathBuf::from(format!("{}/", to.display())),
            exclude: Vec::new(),
            limits: ArchiveLimits::default(),
        }),
        env: Vec::new(),
        timeout: None,
        retries: 0,
        on_failure: OnFailure::Abort,
        cache_for: None,
        inputs: ami_bake_core::plan::Inputs::default(),
    }
}

/// Answers of a machine to the questions of every bake, separated by NUL.
pub(super) fn machine(input: &[u8]) {
    let mut answers: Vec<Vec<u8>> = input.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
    answers.reverse();
    alone(async {
        let guest = Guest { answers: Mutex::new(answers), last: Vec::new(), archive: Vec::new() };
        let (run, _events) = runs::run();
        let host = HostMachine::default();
        let on = ConnectedMachine { machine: &host, communicator: Arc::new(guest) };
        let runner = StepRunner::default();
        let _ = runner.begin(&run, &on).await;
        let _ = runner.packages(&run, &on).await;
    });
}

/// Splits output into lines, in chunks: the lines must not depend on where it is cut, or contain terminal control
/// sequences.
pub(super) fn output(input: &[u8]) {
    let masker = Arc::new(Masker::default());
    masker.add("a-secret-value");
    let split = |size: usize| {
        let mut found = Vec::new();
        let mut keep = |line: Line| {
            found.push(line);
            true
        };
        let mut lines = LineSplitter::new(Arc::clone(&masker));
        for chunk in input.chunks(size.max(1)) {
            lines.feed(chunk, &mut keep);
        }
        lines.finish(&mut keep);
        found
    };
    let whole = split(input.len());
    assert_eq!(whole, split(7), "the lines depend on the chunks");
    for line in whole.iter().map(|line| &line.text) {
        assert!(!line.chars().any(|character| character.is_control() && character != '\t'), "{line:?}");
        let _ = masker.mask(line);
    }
    let text = sanitize(&String::from_utf8_lossy(input));
    assert_eq!(sanitize(&text), text, "sanitizing twice changes something");
}

/// Connects to a server that sends these bytes and closes the connection.
pub(super) fn ssh(input: &[u8]) {
    let input = input.to_vec();
    alone(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut target =
            Target::new("127.0.0.1", "root", Key::generate(KeyType::Ed25519, "login").unwrap(), HostKey::AcceptNew);
        target.port = listener.local_addr().unwrap().port();
        let limit = Duration::from_millis(50);
        target.timing =
            Timing { probe: limit, dial: limit, handshake: limit, auth: limit, auth_pause: limit, reconnect: limit };
        let server = async {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.write_all(&input).await;
                let _ = stream.shutdown().await;
            }
        };
        let deadline = tokio::time::Instant::now() + Duration::from_millis(20);
        tokio::select! {
            () = server => {}
            connected = Ssh::connect(target, deadline, CancellationToken::new()) => drop(connected),
        }
    });
}

/// Runs a future on a runtime of its own, on this thread.
fn alone(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}

/// A machine that answers with bytes of the input.
struct Guest {
    /// Output of its commands, the last one first.
    answers: Mutex<Vec<Vec<u8>>>,
    /// Output of commands after these.
    last: Vec<u8>,
    /// The archive that it sends for a folder or a file.
    archive: Vec<u8>,
}

#[async_trait]
impl Communicator for Guest {
    async fn exec(&self, _: Exec<'_>, output: &mut dyn OutputSink) -> Result<Exit> {
        let answer = self.answers.lock().unwrap().pop().unwrap_or_else(|| self.last.clone());
        output.write(Stream::Stdout, &answer);
        Ok(Exit::Status(0))
    }

    async fn put(&self, _: Reader<'_>, _: &str) -> Result<()> {
        Ok(())
    }

    async fn get(&self, _: &str, mut archive: Writer<'_>) -> Result<()> {
        let sent = archive.write_all(&self.archive).await;
        sent.map_err(|error| Error::build("send an archive").because(error))
    }

    async fn dial(&self, _: &str, _: u16) -> Result<Box<dyn Duplex>, DialError> {
        Err(DialError::Closed(Error::build("nothing listens there")))
    }
}
