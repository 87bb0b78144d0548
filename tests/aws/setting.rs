//! A folder with a manifest, a cloud of its own, and the program.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ami_bake_testkit::cloud::Cloud;
use serde_json::Value;
use tempfile::TempDir;

/// The manifest's head and one source, for manifests of which only the steps matter.
pub(crate) const WEB: &str = r#"format: 1
name: shop
platform: aws
aws: {region: us-east-1}
images:
  web:
    source:
      ami: {owner: "099720109477", name: ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*}
"#;

/// One user's place: a folder, a cloud, an environment without anything of the test machine's own.
pub(crate) struct Setting {
    pub(crate) cloud: Cloud,
    folder: TempDir,
}

/// What a call of the program came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Judges the exit code, showing everything when it is another.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Judges that standard error says this.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text:?} is not in\n{}", self.stderr);
        self
    }
}

impl Setting {
    /// With this manifest.
    pub(crate) fn new(manifest: &str) -> Self {
        Self::on(Cloud::start(Path::new(binary())), manifest)
    }

    /// On a cloud that was started otherwise.
    pub(crate) fn on(cloud: Cloud, manifest: &str) -> Self {
        let setting = Self { cloud, folder: tempfile::tempdir().unwrap() };
        setting.write("bake.yml", manifest);
        setting
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder.path())
            .env("XDG_STATE_HOME", self.path("state"))
            .envs(self.cloud.env())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        finish(self.command(arguments).spawn().unwrap())
    }

    pub(crate) fn bake(&self) -> Outcome {
        self.run(&["bake"])
    }

    /// The report of the last bake.
    pub(crate) fn report(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.path("bake-report.json")).unwrap()).unwrap()
    }

    /// Judges that the cloud holds these images, all final and tested, with their snapshots, and nothing else; and
    /// that no ledger has anything open. A machine may still be on its way out.
    #[track_caller]
    pub(crate) fn holds_only(&self, names: &[&str]) {
        let begun = Instant::now();
        loop {
            let leaks = self.cloud.leaks();
            let wrong = what_is_wrong(&leaks, names);
            if wrong.is_none() {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "{}: {leaks:#}", wrong.unwrap());
            std::thread::sleep(Duration::from_millis(200));
        }
        let ledgers: Vec<PathBuf> = ledgers(&self.path("state"));
        assert!(ledgers.is_empty(), "{ledgers:?}");
    }
}

pub(crate) fn finish(child: Child) -> Outcome {
    let output = child.wait_with_output().unwrap();
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub(crate) fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_ami-bake")
}

fn ledgers(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            found.extend(ledgers(&entry.path()));
        } else if entry.path().to_string_lossy().ends_with(".ledger.jsonl") {
            found.push(entry.path());
        }
    }
    found
}

/// The first thing that should not be there, or that is missing.
fn what_is_wrong(leaks: &Value, names: &[&str]) -> Option<String> {
    let mut images: Vec<String> = Vec::new();
    let mut snapshots = 0;
    for (place, kinds) in leaks.as_object().unwrap() {
        for (kind, entries) in kinds.as_object().unwrap() {
            let entries = entries.as_array().unwrap();
            match kind.as_str() {
                "images" => images.extend(entries.iter().map(|entry| entry["name"].as_str().unwrap().to_owned())),
                "snapshots" => snapshots += entries.len(),
                "instances" if entries.iter().all(|entry| entry["state"] == "terminated") => {}
                _ => return Some(format!("{place} has {kind}")),
            }
        }
    }
    images.sort();
    if images != names {
        return Some(format!("the images are {images:?}, not {names:?}"));
    }
    (snapshots > names.len()).then(|| format!("{snapshots} snapshots for {} images", names.len()))
}
