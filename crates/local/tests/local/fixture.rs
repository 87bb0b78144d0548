//! The local platform with a store of its own, and helpers to inspect it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ami_bake_core::communicator::{Communicator, Exec};
use ami_bake_core::event::EventReceiver;
use ami_bake_core::output::Collect;
use ami_bake_core::plan::{
    Digest, ImageKey, ImagePlan, ImageSettings, MachineSettings, Phase, SourceImage, SourceQuery,
};
use ami_bake_core::platform::{Candidate, Capture, ImageRecord, Launch, Machine, Platform, Registration};
use ami_bake_core::{Route, Run, tags};
use ami_bake_local::Local;
use ami_bake_testkit::runs;
use tempfile::TempDir;

/// The binary with the hidden command.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_ami-bake-sandbox");

/// The local platform with a store of its own.
pub(crate) struct LocalFixture {
    pub(crate) local: Local,
    pub(crate) run: Run,
    pub(crate) folder: TempDir,
    _events: EventReceiver,
}

impl LocalFixture {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let local = Local::new(&folder.path().join("store"), PathBuf::from(PROGRAM)).unwrap();
        let (run, events) = runs::run();
        Self { local, run, folder, _events: events }
    }

    pub(crate) fn store(&self) -> &Path {
        self.local.store().root()
    }

    pub(crate) async fn source(&self, reference: &str) -> SourceImage {
        self.local.find_source(&self.run, &SourceQuery::Reference(reference.to_owned())).await.unwrap()
    }

    pub(crate) async fn launch_with(&self, source: &SourceImage, machine: &MachineSettings) -> Box<dyn Machine> {
        let key = ImageKey::new("web");
        let lifetime = Duration::from_mins(10);
        let launch = Launch { key: &key, namespace: "shop", phase: Phase::Build, source, machine, lifetime };
        self.local.launch(&self.run, &launch).await.unwrap()
    }

    pub(crate) async fn launch(&self, source: &SourceImage) -> (Box<dyn Machine>, Arc<dyn Communicator>) {
        let machine = self.launch_with(source, &MachineSettings::default()).await;
        let inside = machine.connect(&self.run).await.unwrap();
        (machine, inside)
    }

    /// Bakes an image with one command and registers it.
    pub(crate) async fn bake(&self, source: &SourceImage, version: &str, command: &str) -> ImageRecord {
        let (machine, inside) = self.launch(source).await;
        sh(inside.as_ref(), command).await;
        let plan = plan(source, version);
        let candidate = self.capture(machine.as_ref(), &plan).await;
        machine.destroy(&self.run).await.unwrap();
        self.register(&plan, &candidate).await
    }

    pub(crate) async fn capture(&self, machine: &dyn Machine, plan: &ImagePlan) -> Candidate {
        let capture = Capture { plan, tags: image_tags(plan), name: "candidate".to_owned() };
        machine.capture(&self.run, &capture).await.unwrap().available(&self.run).await.unwrap()
    }

    pub(crate) async fn register(&self, plan: &ImagePlan, candidate: &Candidate) -> ImageRecord {
        let mut tags = image_tags(plan);
        tags.insert(tags::TESTED.to_owned(), "2026-11-20T12:00:00Z".to_owned());
        self.local.register(&self.run, candidate, &Registration { plan, tags, adopt: false }).await.unwrap()
    }
}

pub(crate) fn image_tags(plan: &ImagePlan) -> BTreeMap<String, String> {
    BTreeMap::from([
        (tags::NAME.to_owned(), plan.namespace.clone()),
        (tags::IMAGE.to_owned(), plan.key.image.clone()),
        (tags::VERSION.to_owned(), plan.version.to_string()),
        (tags::DIGEST.to_owned(), plan.digest.to_string()),
    ])
}

pub(crate) fn plan(source: &SourceImage, version: &str) -> ImagePlan {
    ImagePlan {
        key: ImageKey::new("web"),
        route: Route::root(),
        namespace: "shop".to_owned(),
        source: source.clone(),
        machine: MachineSettings::default(),
        build: Vec::new(),
        validate: Vec::new(),
        test: Vec::new(),
        settings: ImageSettings { name: format!("shop/web/{version}"), ..ImageSettings::default() },
        version: version.parse().unwrap(),
        digest: Digest::from_text(format!("sha256:{version}")),
        parts: ami_bake_core::plan::DigestParts::default(),
    }
}

/// Runs a command that must succeed, and returns its standard output.
pub(crate) async fn sh(inside: &dyn Communicator, command: &str) -> String {
    let mut output = Collect::default();
    let exit = inside.exec(Exec::new(command), &mut output).await.unwrap();
    assert!(exit.success(), "{command}: {exit:?}, {}", output.stderr_text());
    output.stdout_text()
}

/// A small root file system with a shell and some tools of this machine.
pub(crate) fn small_root(at: &Path) {
    for folder in ["etc", "bin", "usr", "var", "root", "opt"] {
        std::fs::create_dir_all(at.join(folder)).unwrap();
    }
    std::fs::write(at.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
    let tools =
        ["sh", "cat", "ls", "mkdir", "rm", "ln", "id", "sleep", "chown", "chmod", "stat", "touch", "mv", "hostname"];
    for tool in tools {
        let from = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(tool));
        let from = from.iter().find(|path| path.exists()).unwrap();
        std::fs::copy(from, at.join("bin").join(tool)).unwrap();
        let libraries = String::from_utf8(Command::new("ldd").arg(from).output().unwrap().stdout).unwrap();
        for library in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
            let to = at.join(library.trim_start_matches('/'));
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            if !to.exists() {
                std::fs::copy(library, to).unwrap();
            }
        }
    }
}

/// A command that sleeps for a duration that no other test uses, so that its process can be identified.
pub(crate) fn long_sleep() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("sleep 47{:07}{:03}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// True while a process runs with this command line.
pub(crate) fn is_running(text: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ").trim_end() == text
    })
}
