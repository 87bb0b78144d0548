//! A folder with a manifest, a test cloud of its own, and the program.

use std::cell::Cell;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use ami_bake_testkit::cloud::Cloud;
use ami_bake_testkit::test_dir::{CommandOutcome, TestDir};
use ami_bake_testkit::wait;
use serde_json::Value;

use crate::enforce::Policies;

/// Head and source of a manifest whose steps are all that matters.
pub(crate) const WEB: &str = r#"format: 1
name: shop
platform: aws
aws: {region: us-east-1}
images:
  web:
    source:
      ami: {owner: "099720109477", name: ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*}
"#;

/// A folder, a cloud, and an environment that is independent of the machine that runs the tests.
pub(crate) struct Fixture {
    pub(crate) cloud: Cloud,
    dir: TestDir,
    /// The policies of commands.
    pub(crate) policies: Policies,
    /// Whether the test itself denies calls.
    denies: Cell<bool>,
}

/// A call that the program's own policy does not allow fails the test, even if the program continued without it.
impl Drop for Fixture {
    fn drop(&mut self) {
        if std::thread::panicking() || self.denies.get() {
            return;
        }
        let denied = self.cloud.denied();
        let denied: Vec<&Value> = denied.iter().filter(|one| one["dry-run"] == false).collect();
        assert!(denied.is_empty(), "the printed policy does not allow {denied:#?}");
    }
}

impl Deref for Fixture {
    type Target = TestDir;

    fn deref(&self) -> &TestDir {
        &self.dir
    }
}

impl Fixture {
    /// A fixture with this manifest.
    pub(crate) fn new(manifest: &str) -> Self {
        Self::on(Cloud::start(Path::new(binary())), manifest)
    }

    /// A fixture on a cloud that was started in another way.
    pub(crate) fn on(cloud: Cloud, manifest: &str) -> Self {
        let fixture = Self { cloud, dir: TestDir::new(), policies: Policies::default(), denies: Cell::new(false) };
        fixture.write("bake.yml", manifest);
        fixture
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.dir.command(binary(), arguments);
        command.envs(self.cloud.env());
        let put = |key: &str, policy: &Value, roles: &Value| self.cloud.put_policy(key, policy, roles);
        self.policies.enforce(&mut command, arguments, |arguments| self.dir.command(binary(), arguments), put);
        command
    }

    /// Declares that the test itself checks the denied calls.
    pub(crate) fn expects_denials(&self) {
        self.denies.set(true);
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> CommandOutcome {
        finish(self.command(arguments).spawn().unwrap())
    }

    pub(crate) fn bake(&self) -> CommandOutcome {
        self.run(&["bake"])
    }

    /// The report of the last bake.
    pub(crate) fn report(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.path("bake-report.json")).unwrap()).unwrap()
    }

    /// Waits until a machine is running.
    #[track_caller]
    pub(crate) fn until_running(&self) {
        wait::until_true("no machine runs", || {
            self.cloud.instances().iter().any(|instance| instance["state"] == "running")
        });
    }

    /// Waits until all machines are terminated.
    #[track_caller]
    pub(crate) fn until_terminated(&self) {
        wait::until_true("a machine is not terminated", || {
            self.cloud.instances().iter().all(|instance| instance["state"] == "terminated")
        });
    }

    /// Waits until a machine's disk has this file, which a step writes when it begins.
    #[track_caller]
    pub(crate) fn until_file(&self, path: &str) {
        let has_it = |machine: &Value| {
            machine["upper"].as_str().is_some_and(|disk| Path::new(disk).join(path.trim_start_matches('/')).exists())
        };
        wait::until_true(&format!("no machine has {path}"), || self.cloud.instances().iter().any(has_it));
    }

    /// Asserts that the cloud has exactly these images, all final and tested, with their snapshots, and that no ledger
    /// has open entries. A machine may still be shutting down.
    #[track_caller]
    pub(crate) fn holds_only(&self, names: &[&str]) {
        self.holds_only_besides(names, 0);
    }

    /// Like [`Self::holds_only`], with this many snapshots besides the images' own.
    #[track_caller]
    pub(crate) fn holds_only_besides(&self, names: &[&str], snapshots: usize) {
        wait::until_ok(|| {
            let leaks = self.cloud.leaks();
            what_is_wrong(&leaks, names, snapshots).map_or(Ok(()), |wrong| Err(format!("{wrong}: {leaks:#}")))
        });
        let ledgers: Vec<PathBuf> = ledgers(&self.path("state"));
        assert!(ledgers.is_empty(), "{ledgers:?}");
    }
}

pub(crate) fn finish(child: Child) -> CommandOutcome {
    CommandOutcome::of(child)
}

pub(crate) fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_ami-bake")
}

/// The ledgers below a folder.
pub(crate) fn ledgers(folder: &Path) -> Vec<PathBuf> {
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

/// The first resource that is unexpected or missing.
fn what_is_wrong(leaks: &Value, names: &[&str], besides: usize) -> Option<String> {
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
    (snapshots > names.len() + besides).then(|| format!("{snapshots} snapshots for {} images", names.len()))
}

/// The content of a file in an image, from the topmost layer that has it; links are resolved within the image.
pub(crate) fn file_of(image: &Value, path: &str) -> Option<String> {
    let mut layers = Vec::new();
    collect(image, &mut layers);
    let file = layers.iter().map(|layer| Path::new(layer).join(path)).find(|file| file.symlink_metadata().is_ok())?;
    match std::fs::read_link(&file) {
        Ok(to) => file_of(image, to.to_str()?.strip_prefix('/')?),
        Err(_) => std::fs::read_to_string(file).ok(),
    }
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.starts_with('/') => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(map) => map.values().for_each(|item| collect(item, found)),
        _ => {}
    }
}
