//! Runs the program under control of the test: its events while it runs, its clock, its end.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use ami_bake_testkit::cloud::Hold;
use ami_bake_testkit::test_dir::signal;
use ami_bake_testkit::wait;
use serde_json::Value;

/// A running program.
pub(super) struct Process {
    child: Child,
    events: Arc<Mutex<Vec<Value>>>,
    output: JoinHandle<()>,
    errors: JoinHandle<String>,
}

/// The result of the program.
pub(super) struct Outcome {
    /// The exit code; `None` after a signal.
    pub(super) code: Option<i32>,
    /// Events that `--json` printed.
    pub(super) events: Vec<Value>,
    /// Standard error.
    pub(super) log: String,
}

impl Process {
    pub(super) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let events = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&events);
        let output = std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Ok(event) = serde_json::from_str(&line) {
                    sink.lock().unwrap().push(event);
                }
            }
        });
        let errors = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stderr.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Self { child, events, output, errors }
    }

    /// Waits until the rule has applied to a call; false when the program ended without making it.
    pub(super) fn until_reached(&mut self, rule: &Hold<'_>) -> bool {
        self.until("the call was not made", |_| rule.is_reached())
    }

    /// Waits until a stage has begun; false when the program ended without it.
    pub(super) fn until_stage(&mut self, stage: &str) -> bool {
        self.until("the stage did not begin", |events| {
            events.iter().any(|event| event["event"]["stage-started"]["stage"] == stage)
        })
    }

    fn until(&mut self, complaint: &str, so: impl Fn(&[Value]) -> bool) -> bool {
        let mut found = false;
        wait::until_true(complaint, || {
            let ended = self.child.try_wait().unwrap().is_some();
            found = so(&self.events.lock().unwrap());
            found || ended
        });
        found
    }

    /// Moves the program's clock forward. A program that sleeps in the kernel for the rest of a limit would sleep on,
    /// so it is stopped and continued, after which epoll_wait(2) returns (signal(7), "Interruption of system calls by
    /// stop signals").
    pub(super) fn advance(&mut self, clock: &mut HandClock, by: Duration) {
        clock.advance(by);
        if self.child.try_wait().unwrap().is_none() {
            signal(&self.child, "STOP");
            signal(&self.child, "CONT");
        }
    }

    pub(super) fn kill(mut self) -> Outcome {
        self.child.kill().unwrap();
        self.end()
    }

    pub(super) fn end(mut self) -> Outcome {
        let code = self.child.wait().unwrap().code();
        self.output.join().unwrap();
        Outcome { code, events: std::mem::take(&mut *self.events.lock().unwrap()), log: self.errors.join().unwrap() }
    }
}

/// The clock of one program, moved by hand: libfaketime answers its calls for the time, including the monotonic one.
pub(super) struct HandClock {
    file: PathBuf,
    ahead: Duration,
}

impl HandClock {
    /// A clock for a program that `command` will start.
    pub(super) fn of(command: &mut Command, folder: &Path) -> Self {
        let clock = Self { file: folder.join("clock"), ahead: Duration::ZERO };
        clock.write();
        command.env("LD_PRELOAD", library()).env("FAKETIME_TIMESTAMP_FILE", &clock.file).env("FAKETIME_NO_CACHE", "1");
        clock
    }

    /// Moves the clock forward.
    pub(super) fn advance(&mut self, by: Duration) {
        self.ahead += by;
        self.write();
    }

    /// Replaces the clock's file. The program may read it at any time, so it must never be empty.
    fn write(&self) {
        let draft = self.file.with_extension("draft");
        std::fs::write(&draft, format!("+{}\n", self.ahead.as_secs())).unwrap();
        std::fs::rename(&draft, &self.file).unwrap();
    }
}

/// Path of Debian's libfaketime for multi-threaded programs.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten();
    let found = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1")).find(|path| path.exists());
    found.expect("the package libfaketime is installed (.ci/setup)")
}
