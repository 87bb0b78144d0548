//! The platform on a test cloud of its own.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_aws::{Aws, Settings};
use ami_bake_core::clock::SystemClock;
use ami_bake_core::communicator::{Communicator, Exec, Exit};
use ami_bake_core::event::{Event, EventReceiver};
use ami_bake_core::ledger::{Closed, Entry};
use ami_bake_core::limit::Limiter;
use ami_bake_core::output::Collect;
use ami_bake_core::plan::{
    Digest, ImageKey, ImagePlan, ImageSettings, MachineSettings, Phase, SourceImage, SourceQuery,
};
use ami_bake_core::platform::{Candidate, Capture, ImageRecord, Launch, Machine, Platform, Registration, Undo};
use ami_bake_core::{Result, Route, Run, tags};
use ami_bake_testkit::cloud::{self, Cloud};
use ami_bake_testkit::{runs, wait};
use semver::Version;

/// Owners and names of seeded images (tests/cloud/cloud/seeds.py).
pub(crate) const UBUNTU: (&str, &str) = ("099720109477", "ubuntu/images/*noble-24.04-amd64-server-*");
pub(crate) const RHEL: (&str, &str) = ("309956199498", "RHEL-9*");

/// A cloud, the platform on it, a run, and the events of the run.
pub(crate) struct CloudFixture {
    pub(crate) cloud: Cloud,
    pub(crate) aws: Aws,
    pub(crate) run: Run,
    events: EventReceiver,
}

/// Runs the calling test in a cloud of its own.
pub(crate) fn in_cloud<F: Future<Output = ()>>(body: impl FnOnce(CloudFixture) -> F) {
    cloud::around(async |cloud| body(CloudFixture::new(cloud, Settings::default()).await).await);
}

impl CloudFixture {
    async fn new(cloud: Cloud, settings: Settings) -> Self {
        let clock = Arc::new(SystemClock::default());
        let limiter = Arc::new(Limiter::new(clock.clone()));
        // A busy machine makes the cloud slow: a short limit would only end and repeat calls in progress.
        let settings = Settings { attempt: Some(Duration::from_hours(1)), ..settings };
        let aws = Aws::new(settings, clock, limiter).await.unwrap();
        let (run, events) = runs::run();
        Self { cloud, aws, run, events }
    }

    /// The same cloud with other credentials.
    pub(crate) async fn with(self, settings: Settings) -> Self {
        Self::new(self.cloud, settings).await
    }

    /// The newest image with this owner and name.
    pub(crate) async fn source(&self, image: (&str, &str)) -> SourceImage {
        self.aws.find_source(&self.run, &newest(image)).await.unwrap()
    }

    /// A plan for the image `web` in the namespace `shop`.
    pub(crate) fn plan(source: SourceImage, version: &str) -> ImagePlan {
        ImagePlan {
            key: ImageKey::new("web"),
            route: Route::root().key("images").key("web"),
            namespace: "shop".to_owned(),
            source,
            machine: MachineSettings {
                types: vec!["t3.small".to_owned()],
                ingress: vec!["203.0.113.7/32".to_owned()],
                ..MachineSettings::default()
            },
            build: Vec::new(),
            validate: Vec::new(),
            test: Vec::new(),
            settings: ImageSettings {
                name: format!("shop/web/{version}"),
                description: "a shop".to_owned(),
                ..ImageSettings::default()
            },
            version: Version::parse(version).unwrap(),
            digest: Digest::from_text(format!("sha256:{version}")),
            parts: ami_bake_core::plan::DigestParts::default(),
        }
    }

    /// The tags that the engine would set.
    pub(crate) fn tags(&self, plan: &ImagePlan) -> BTreeMap<String, String> {
        BTreeMap::from(
            [
                ("Name", plan.settings.name.clone()),
                (tags::NAME, plan.namespace.clone()),
                (tags::IMAGE, plan.key.image.clone()),
                (tags::VERSION, plan.version.to_string()),
                (tags::DIGEST, plan.digest.to_string()),
                (tags::RUN, self.run.id().to_owned()),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        )
    }

    /// Launches a machine for the build of the image `base`, with these settings.
    pub(crate) async fn launch(&self, source: &SourceImage, settings: &MachineSettings) -> Result<Box<dyn Machine>> {
        self.launch_for(&ImageKey::new("base"), source, settings).await
    }

    /// Launches a machine for another image.
    pub(crate) async fn launch_for(
        &self,
        key: &ImageKey,
        source: &SourceImage,
        settings: &MachineSettings,
    ) -> Result<Box<dyn Machine>> {
        let lifetime = Duration::from_hours(1);
        let launch = Launch { key, namespace: "shop", phase: Phase::Build, source, machine: settings, lifetime };
        self.aws.launch(&self.run, &launch).await
    }

    /// Launches a machine of the plan and connects to it.
    pub(crate) async fn machine(&self, plan: &ImagePlan, phase: Phase, source: &SourceImage) -> Box<dyn Machine> {
        let launch = Launch {
            key: &plan.key,
            namespace: &plan.namespace,
            phase,
            source,
            machine: &plan.machine,
            lifetime: Duration::from_hours(1),
        };
        let machine = self.aws.launch(&self.run, &launch).await.unwrap();
        machine.connect(&self.run).await.unwrap();
        machine
    }

    /// The parameters of a capture; the candidate expires at `expires`.
    pub(crate) fn capture<'a>(&self, plan: &'a ImagePlan, expires: &str) -> Capture<'a> {
        let mut all = self.tags(plan);
        all.insert(tags::EXPIRES.to_owned(), expires.to_owned());
        Capture { plan, tags: all, name: format!("candidate/{}/{}", plan.version, self.run.id()) }
    }

    /// Runs everything from launch to an available candidate.
    pub(crate) async fn candidate(&self, plan: &ImagePlan) -> Result<Candidate> {
        let machine = self.machine(plan, Phase::Build, &plan.source).await;
        let pending = machine.capture(&self.run, &self.capture(plan, LATER)).await?;
        pending.available(&self.run).await
    }

    /// Registers a candidate under its final name.
    pub(crate) async fn register(&self, plan: &ImagePlan, candidate: &Candidate) -> Result<ImageRecord> {
        let mut all = self.tags(plan);
        all.insert(tags::TESTED.to_owned(), "2026-11-20T10:00:00Z".to_owned());
        self.aws.register(&self.run, candidate, &Registration { plan, tags: all, adopt: true }).await
    }

    /// Undoes all open entries, closes the run, and retries entries that could not be undone before, like the engine.
    pub(crate) async fn clean_up(&self) {
        self.undo().await;
        self.aws.close(&self.run).await.unwrap();
        wait::within_limit("still open", async {
            while !self.undo().await {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        })
        .await;
    }

    /// Undoes all open entries; true when none is left.
    async fn undo(&self) -> bool {
        let undo = async |entry: Entry| {
            let done = self.aws.undo(&self.run, &entry).await.unwrap() == Undo::Done;
            if done {
                self.run.ledger().close_entry(&entry, Closed::Deleted);
            }
            done
        };
        let undone = self.run.ledger().open_entries().into_iter().map(undo);
        futures::future::join_all(undone).await.into_iter().all(|done| done)
    }

    /// Ends the run: shared resources are deleted at the first attempt, since every machine left its group before.
    pub(crate) async fn closed(&self) {
        self.aws.close(&self.run).await.unwrap();
        assert_eq!(self.run.ledger().open_entries(), []);
    }

    /// Waits until nothing is left; machines may still be shutting down when the last call is answered.
    pub(crate) async fn gone(&self) {
        let complaint = || format!("left behind: {:#}", self.cloud.leaks());
        wait::eventually(complaint, || self.cloud.leaks() == serde_json::json!({})).await;
    }

    /// Asserts the number of images and snapshots; machines and everything else must be gone or shutting down.
    #[track_caller]
    pub(crate) fn holds(&self, images: usize, snapshots: usize) {
        let leaks = self.cloud.leaks();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for kinds in leaks.as_object().unwrap().values() {
            for (kind, all) in kinds.as_object().unwrap() {
                // A terminated machine is still shutting down, and nothing waits for it.
                let count = all.as_array().unwrap().iter().filter(|one| one["state"] != "shutting-down").count();
                if count > 0 {
                    *counts.entry(kind.clone()).or_default() += count;
                }
            }
        }
        let wanted: BTreeMap<String, usize> = [("images", images), ("snapshots", snapshots)]
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(kind, count)| (kind.to_owned(), count))
            .collect();
        assert_eq!(counts, wanted, "{leaks:#}");
    }

    /// The messages of the run so far.
    pub(crate) fn reported(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(envelope) = self.events.try_recv() {
            if let Event::Progress { message } | Event::Warning { message, .. } = envelope.event {
                all.push(message);
            }
        }
        all
    }
}

/// An expiry that no test reaches.
pub(crate) const LATER: &str = "2099-01-01T00:00:00Z";
/// An expiry in the past.
pub(crate) const OVER: &str = "2020-01-01T00:00:00Z";

/// A query for the newest image of an owner with this name.
pub(crate) fn newest((owner, name): (&str, &str)) -> SourceQuery {
    SourceQuery::Newest {
        owners: vec![owner.to_owned()],
        name: name.to_owned(),
        architecture: None,
        filters: BTreeMap::new(),
    }
}

/// A command's standard output.
pub(crate) async fn said_by(machine: &dyn Communicator, command: &str) -> String {
    let mut output = Collect::default();
    let exit = machine.exec(Exec::new(command), &mut output).await.unwrap();
    assert_eq!(exit, Exit::Status(0), "{command}: {}", output.stderr_text());
    output.stdout_text().trim().to_owned()
}
