//! Conformance tests for platforms: a platform that passes them can bake images.
//!
//! A platform's test file names a function that makes a [`Subject`] and hands it to [`crate::conformance!`].

use std::any::Any;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::communicator::{Communicator, DialError, Exec, Exit};
use ami_bake_core::output::Collect;
use ami_bake_core::plan::{
    Digest, ImageKey, ImagePlan, ImageSettings, MachineSettings, Phase, SourceImage, SourceQuery,
};
use ami_bake_core::platform::{
    Candidate, Capture, ImageQuery, ImageRecord, Launch, Machine, Platform, Registration, Undo,
};
use ami_bake_core::{Route, Run, tags};
use semver::Version;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::runs;
use crate::wait::within_limit;

/// A platform under test.
pub struct Subject {
    /// The platform.
    pub platform: Arc<dyn Platform>,
    /// A source image that the platform has.
    pub source: SourceQuery,
    /// A source of the same kind that the platform does not have.
    pub missing: SourceQuery,
    /// Settings of a machine that the platform can launch.
    pub machine: MachineSettings,
    /// Servers and folders that must live as long as the platform.
    pub guard: Box<dyn Any>,
}

/// The lifetime of a test's machine.
const LIFETIME: Duration = Duration::from_mins(30);

impl Subject {
    async fn launch(&self, run: &Run, source: &SourceImage, phase: Phase) -> Box<dyn Machine> {
        let (key, namespace) = (key(), namespace());
        let launch =
            Launch { key: &key, namespace: &namespace, phase, source, machine: &self.machine, lifetime: LIFETIME };
        self.platform.launch(run, &launch).await.unwrap()
    }

    async fn machine(&self, run: &Run) -> (Box<dyn Machine>, Arc<dyn Communicator>) {
        let source = self.platform.find_source(run, &self.source).await.unwrap();
        let machine = self.launch(run, &source, Phase::Build).await;
        let communicator = machine.connect(run).await.unwrap();
        (machine, communicator)
    }

    /// Captures a candidate that contains `/opt/conformance`.
    async fn candidate(&self, run: &Run, version: &str) -> (ImagePlan, Candidate) {
        let source = self.platform.find_source(run, &self.source).await.unwrap();
        let plan = self.plan(source, version);
        let (machine, communicator) = self.machine(run).await;
        sh(communicator.as_ref(), "mkdir -p /opt && echo baked > /opt/conformance").await;
        let name = format!("ami-bake-candidate/{}/{version}", uuid::Uuid::new_v4().simple());
        let capture = Capture { plan: &plan, tags: image_tags(run, &plan, false), name };
        let pending = machine.capture(run, &capture).await.unwrap();
        (plan, pending.available(run).await.unwrap())
    }

    async fn register(&self, run: &Run, plan: &ImagePlan, candidate: &Candidate) -> ImageRecord {
        let registration = Registration { plan, tags: image_tags(run, plan, true), adopt: false };
        self.platform.register(run, candidate, &registration).await.unwrap()
    }

    fn plan(&self, source: SourceImage, version: &str) -> ImagePlan {
        ImagePlan {
            key: key(),
            route: Route::root(),
            namespace: namespace(),
            source,
            machine: self.machine.clone(),
            build: Vec::new(),
            validate: Vec::new(),
            test: Vec::new(),
            settings: ImageSettings { name: format!("{}/image/{version}", namespace()), ..ImageSettings::default() },
            version: Version::parse(version).unwrap(),
            digest: Digest::from_text(format!("sha256:{version}")),
            parts: ami_bake_core::plan::DigestParts::default(),
        }
    }

    async fn ours(&self, run: &Run) -> Vec<ImageRecord> {
        let query = ImageQuery { namespace: Some(namespace()), key: Some(key()), owner: None };
        self.platform.images(run, &query).await.unwrap()
    }

    /// Ends the run as the engine does and waits until the ledger is empty.
    async fn ends_clean(&self, run: &Run) {
        self.platform.close(run).await.unwrap();
        within_limit("the ledger is not empty", async {
            while !run.ledger().open_entries().is_empty() {
                for entry in run.ledger().open_entries() {
                    if self.platform.undo(run, &entry).await.unwrap() == Undo::Done {
                        run.ledger().close_entry(&entry, ami_bake_core::ledger::Closed::Deleted);
                    }
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        })
        .await;
    }
}

/// A namespace of this process: one Docker daemon may serve several tests at once.
fn namespace() -> String {
    format!("conformance-{}", std::process::id())
}

fn key() -> ImageKey {
    ImageKey::new("image")
}

fn image_tags(run: &Run, plan: &ImagePlan, tested: bool) -> BTreeMap<String, String> {
    let mut all = BTreeMap::from([
        (tags::NAME.to_owned(), plan.namespace.clone()),
        (tags::IMAGE.to_owned(), plan.key.image.clone()),
        (tags::VERSION.to_owned(), plan.version.to_string()),
        (tags::DIGEST.to_owned(), plan.digest.to_string()),
        (tags::RUN.to_owned(), run.id().to_owned()),
        ("team".to_owned(), "web".to_owned()),
    ]);
    let (key, value) =
        if tested { (tags::TESTED, run.clock().now()) } else { (tags::EXPIRES, run.clock().now() + LIFETIME) };
    all.insert(key.to_owned(), value.to_string());
    all
}

/// Runs a command that must succeed, and returns its standard output.
async fn sh(communicator: &dyn Communicator, command: &str) -> String {
    let mut output = Collect::default();
    let exit = communicator.exec(Exec::new(command), &mut output).await.unwrap();
    assert!(exit.success(), "{command}: {exit:?}, {}", output.stderr_text());
    output.stdout_text()
}

/// Output streams are kept apart, standard input is sent to its end, exit statuses arrive.
pub async fn runs_commands(subject: Subject) {
    let (run, _events) = runs::run();
    let (machine, communicator) = subject.machine(&run).await;
    let mut output = Collect::default();
    let exec = Exec::new("id -u; cat; echo err >&2; exit 7").stdin(b"in\n");
    assert_eq!(communicator.exec(exec, &mut output).await.unwrap(), Exit::Status(7));
    assert_eq!((output.stdout_text().as_str(), output.stderr_text().as_str()), ("0\nin\n", "err\n"));

    let exit = communicator.exec(Exec::new("kill -TERM $$"), &mut Collect::default()).await.unwrap();
    assert!(matches!(exit, Exit::Signal(ref name) if name == "TERM") || exit == Exit::Status(143), "{exit:?}");

    let limit = Duration::from_millis(700);
    let slow = Exec::new("sleep 4711 & sleep 4711").timeout(limit);
    assert_eq!(communicator.exec(slow, &mut Collect::default()).await.unwrap(), Exit::TimedOut(limit));
    let left = sh(
        communicator.as_ref(),
        "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c 'sleep [4]711' || true",
    )
    .await;
    assert_eq!(left.trim(), "0", "a command that ran out of time is gone, and what it started too");
    machine.destroy(&run).await.unwrap();
    subject.ends_clean(&run).await;
}

/// Files are uploaded and downloaded with owner, mode and time.
pub async fn moves_files(subject: Subject) {
    let (run, _events) = runs::run();
    let (machine, communicator) = subject.machine(&run).await;
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o640);
    header.set_uid(4711);
    header.set_gid(4712);
    header.set_mtime(1_700_000_000);
    header.set_size(5);
    archive.append_data(&mut header, "a folder/a file", &b"hello"[..]).unwrap();
    let bytes = archive.into_inner().unwrap();
    communicator.put(Box::new(bytes.as_slice()), "/opt/put/here").await.unwrap();
    let seen = sh(communicator.as_ref(), "stat -c '%a %u %g %Y %s' '/opt/put/here/a folder/a file'").await;
    assert_eq!(seen.trim(), "640 4711 4712 1700000000 5");
    // Platforms whose images are made of files know the changes without a search.
    let changes = machine.changes(&run).await.unwrap();
    assert_eq!(changes.is_some(), matches!(subject.platform.capabilities().platform, "docker" | "local"));
    let sent = Path::new("/opt/put/here/a folder/a file");
    assert!(changes.is_none_or(|changes| changes.iter().any(|path| path == sent)));

    let mut back = Vec::new();
    communicator.get("/opt/put/here", Box::new(&mut back)).await.unwrap();
    let mut archive = tar::Archive::new(back.as_slice());
    let names: Vec<String> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().to_string_lossy().trim_end_matches('/').to_owned())
        .collect();
    assert!(names.contains(&"here/a folder/a file".to_owned()), "{names:?}");
    machine.destroy(&run).await.unwrap();
    subject.ends_clean(&run).await;
}

/// A port of the machine can be reached through the connection.
pub async fn dials_ports(subject: Subject) {
    let (run, _events) = runs::run();
    let (machine, communicator) = subject.machine(&run).await;
    let port: u16 = 20_000 + u16::try_from(uuid::Uuid::new_v4().as_u128() % 10_000).unwrap();
    let closed = communicator.dial("127.0.0.1", port).await.map(|_| ());
    assert!(matches!(closed, Err(DialError::Closed(_))), "nothing listens yet: {closed:?}");
    let nowhere = communicator.dial("no-such-host.invalid", port).await.map(|_| ());
    assert!(nowhere.is_err(), "a name without an address");
    let server = format!(
        "import socket; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); \
         s.bind(('127.0.0.1', {port})); s.listen(); c = s.accept()[0]; c.sendall(c.recv(100)[::-1]); c.close()"
    );
    sh(communicator.as_ref(), &format!("nohup python3 -c \"{server}\" >/dev/null 2>&1 </dev/null &")).await;
    let mut stream = within_limit("the server does not listen", async {
        loop {
            if let Ok(stream) = communicator.dial("127.0.0.1", port).await {
                break stream;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    stream.write_all(b"abc").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"cba");
    machine.destroy(&run).await.unwrap();
    subject.ends_clean(&run).await;
}

/// After a reboot, files are still there, processes are gone, and the boot id has changed.
pub async fn reboots(subject: Subject) {
    // Containers share a kernel and with it the boot id; the start time of the first process replaces it.
    const CONTAINER: &str = "read -r line < /proc/1/stat; set -- ${line##*) }; echo ${20}";
    let boot_id = match subject.platform.capabilities().platform {
        "docker" => CONTAINER,
        _ => "cat /proc/sys/kernel/random/boot_id",
    };
    let (run, _events) = runs::run();
    let (machine, communicator) = subject.machine(&run).await;
    let before = sh(communicator.as_ref(), boot_id).await;
    sh(communicator.as_ref(), "echo stays > /opt/stays; nohup sleep 4712 >/dev/null 2>&1 </dev/null &").await;
    machine.reboot(&run, Duration::from_mins(10)).await.unwrap();
    assert_ne!(sh(communicator.as_ref(), boot_id).await, before);
    assert_eq!(sh(communicator.as_ref(), "cat /opt/stays").await, "stays\n");
    let left = sh(
        communicator.as_ref(),
        "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c 'sleep [4]712' || true",
    )
    .await;
    assert_eq!(left.trim(), "0");
    machine.destroy(&run).await.unwrap();
    subject.ends_clean(&run).await;
}

/// A captured candidate boots but is not listed as a tested image; the registered image is.
pub async fn captures_and_registers(subject: Subject) {
    let (run, _events) = runs::run();
    let (plan, candidate) = subject.candidate(&run, "1.0.0").await;
    assert!(subject.ours(&run).await.iter().all(|image| image.tested.is_none()));
    let test = subject.launch(&run, &candidate.image, Phase::Test).await;
    let communicator = test.connect(&run).await.unwrap();
    assert_eq!(sh(communicator.as_ref(), "cat /opt/conformance").await, "baked\n");
    test.destroy(&run).await.unwrap();

    let image = subject.register(&run, &plan, &candidate).await;
    let listed: Vec<ImageRecord> = subject.ours(&run).await.into_iter().filter(|seen| seen.tested.is_some()).collect();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!((&listed[0].id, &listed[0].version), (&image.id, &plan.version));
    assert_eq!(listed[0].digest, plan.digest);
    assert_eq!(listed[0].tags.get("team").map(String::as_str), Some("web"));
    assert!(!listed[0].tags.contains_key(tags::EXPIRES), "what is registered does not expire");
    subject.ends_clean(&run).await;

    let found = subject.platform.find_source(&run, &SourceQuery::Id(image.id.clone())).await.unwrap();
    assert_eq!(found.version.as_ref(), Some(&plan.version));
    subject.platform.delete_image(&run, &image.id).await.unwrap();
    assert!(subject.ours(&run).await.is_empty());
    subject.platform.delete_image(&run, &image.id).await.unwrap();
}

/// The same content is registered under another version; its parts are deleted with the last of the two.
pub async fn registers_again(subject: Subject) {
    let (run, _events) = runs::run();
    let (plan, candidate) = subject.candidate(&run, "1.0.0").await;
    let first = subject.register(&run, &plan, &candidate).await;
    let again = subject.plan(plan.source.clone(), "2.0.0");
    let same = Candidate { image: first.as_source(), parts: first.parts.clone() };
    let second = subject.register(&run, &again, &same).await;
    subject.platform.delete_image(&run, &first.id).await.unwrap();
    let machine = subject.launch(&run, &second.as_source(), Phase::Test).await;
    let communicator = machine.connect(&run).await.unwrap();
    assert_eq!(sh(communicator.as_ref(), "cat /opt/conformance").await, "baked\n");
    machine.destroy(&run).await.unwrap();
    subject.platform.delete_image(&run, &second.id).await.unwrap();
    subject.ends_clean(&run).await;
}

/// A run that was dropped halfway is cleaned up from its ledger.
pub async fn undoes_from_the_ledger(subject: Subject) {
    let (run, _events) = runs::run();
    let (machine, _communicator) = subject.machine(&run).await;
    drop(machine);
    let (_plan, candidate) = subject.candidate(&run, "1.0.0").await;
    drop(candidate);
    assert!(run.ledger().open_entries().len() >= 2, "{:?}", run.ledger().open_entries());
    subject.ends_clean(&run).await;
    assert!(subject.ours(&run).await.is_empty());
}

/// A missing source is reported with its name and help.
pub async fn names_a_missing_source(subject: Subject) {
    let (run, _events) = runs::run();
    let error = subject.platform.find_source(&run, &subject.missing).await.unwrap_err();
    assert_eq!(error.kind().exit_code(), 4, "{error}");
    assert!(error.help_text().is_some(), "{error} says nothing about what to do");
}

/// Terminating a machine twice is not an error.
pub async fn destroys_twice(subject: Subject) {
    let (run, _events) = runs::run();
    let (machine, _communicator) = subject.machine(&run).await;
    machine.destroy(&run).await.unwrap();
    machine.destroy(&run).await.unwrap();
    subject.ends_clean(&run).await;
}

/// Defines one test for each case. `$subject` is an async function that makes a [`Subject`]; or, after `in`, a function that
/// takes a case and runs it on a subject in a process of its own; or, after `ignored` and the reason, one for tests that only
/// run on request.
#[macro_export]
macro_rules! conformance {
    (in $within:path) => {
        $crate::conformance!(@cases within $within);
    };
    (ignored $why:literal $subject:path) => {
        $crate::conformance!(@cases ignored ($why) $subject);
    };
    ($subject:path) => {
        $crate::conformance!(@cases plain $subject);
    };
    (@cases $how:ident $(($with:literal))? $path:path) => {
        $crate::conformance!(@$how $(($with))? $path: runs_commands moves_files dials_ports reboots captures_and_registers
            registers_again undoes_from_the_ledger names_a_missing_source destroys_twice);
    };
    (@plain $subject:path: $($case:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::conformance::$case($subject().await).await;
            }
        )*
    };
    (@ignored ($why:literal) $subject:path: $($case:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = $why]
            async fn $case() {
                $crate::conformance::$case($subject().await).await;
            }
        )*
    };
    (@within $within:path: $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                $within($crate::conformance::$case);
            }
        )*
    };
}
