//! A platform in memory, with faults on request, for tests of the engine alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ami_bake_core::communicator::{Communicator, DialError, Duplex, Exec, Exit, Reader, Writer};
use ami_bake_core::ledger::{Closed, Entry};
use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::{CaptureMode, Deployment, Digest, ImageKey, ImagePlan, SourceImage, SourceQuery};
use ami_bake_core::platform::{
    Candidate, Capabilities, Capture, Grant, ImageQuery, ImageRecord, Keep, Launch, Machine, Orphan, Orphans,
    PendingImage, Permission, Platform, Registration, SweepScope, Undo,
};
use ami_bake_core::provision::Login;
use ami_bake_core::rollout::{Rollout, RolloutOutcome};
use ami_bake_core::{Error, Result, Run, tags};
use async_trait::async_trait;

/// What exists on a [`Fake`] platform, and the calls to it.
#[derive(Debug, Default)]
pub struct FakeState {
    /// Machines that run.
    pub machines: BTreeSet<String>,
    /// Images, including candidates.
    pub images: BTreeMap<String, ImageRecord>,
    /// Every call, in order.
    pub calls: Vec<String>,
    /// Calls that fail: the call's name with the image, such as `launch web`.
    pub faults: BTreeMap<String, Error>,
    /// Calls that fail once: the call's name, and which of them.
    pub nth_faults: BTreeMap<(String, usize), Error>,
    /// Calls that never answer.
    pub hangs: BTreeSet<String>,
    /// Calls that answer only once another call has been made.
    pub holds: BTreeMap<String, String>,
    made: usize,
}

/// A platform in memory.
#[derive(Debug, Clone, Default)]
pub struct Fake {
    /// Resources and calls so far.
    pub state: Arc<Mutex<FakeState>>,
}

impl Fake {
    /// Makes `call` (such as `launch web`) fail.
    pub fn fail(&self, call: &str, error: Error) {
        self.state.lock().unwrap().faults.insert(call.to_owned(), error);
    }

    /// Makes the `nth` `call` fail, counted from one.
    pub fn fail_nth(&self, call: &str, nth: usize, error: Error) {
        self.state.lock().unwrap().nth_faults.insert((call.to_owned(), nth), error);
    }

    /// Makes `call` never answer.
    pub fn hang(&self, call: &str) {
        self.state.lock().unwrap().hangs.insert(call.to_owned());
    }

    /// Holds the answer to `call` until the call `until` was made.
    pub fn hold(&self, call: &str, until: &str) {
        self.state.lock().unwrap().holds.insert(call.to_owned(), until.to_owned());
    }

    /// All calls so far.
    pub fn calls(&self) -> Vec<String> {
        self.state.lock().unwrap().calls.clone()
    }

    /// True when only tested images exist: no machine and no candidate is left.
    pub fn is_clean(&self) -> bool {
        let state = self.state.lock().unwrap();
        state.machines.is_empty() && state.images.values().all(|image| image.tested.is_some())
    }

    async fn call(&self, name: &str) -> Result<()> {
        let (fault, hangs, until) = {
            let mut state = self.state.lock().unwrap();
            state.calls.push(name.to_owned());
            let nth = state.calls.iter().filter(|call| *call == name).count();
            let once = state.nth_faults.get(&(name.to_owned(), nth)).cloned();
            (
                once.or_else(|| state.faults.get(name).cloned()),
                state.hangs.contains(name),
                state.holds.get(name).cloned(),
            )
        };
        // A real call lets other tasks run meanwhile.
        tokio::task::yield_now().await;
        while until.as_ref().is_some_and(|until| !self.state.lock().unwrap().calls.contains(until)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if hangs {
            std::future::pending::<()>().await;
        }
        fault.map_or(Ok(()), Err)
    }

    fn next_id(&self, prefix: &str) -> String {
        let mut state = self.state.lock().unwrap();
        state.made += 1;
        format!("{prefix}-{}", state.made)
    }
}

/// Capabilities of the fake platform.
pub const CAPABILITIES: Capabilities = Capabilities {
    platform: "fake",
    source: "fake",
    machine: &["type"],
    publish: &["name", "description", "tags"],
    captures: &[CaptureMode::Halted, CaptureMode::Stopped, CaptureMode::Live],
    init: false,
    replaces_versions: false,
    services: false,
    deploy: false,
};

fn record(id: String, name: String, tags: BTreeMap<String, String>) -> ImageRecord {
    let tag = |key: &str| tags.get(key).cloned().unwrap_or_default();
    ImageRecord {
        name,
        region: None,
        account: None,
        namespace: tag(tags::NAME),
        key: ImageKey { image: tag(tags::IMAGE), variant: tags::variant(&tags).cloned() },
        version: tag(tags::VERSION).parse().unwrap(),
        digest: Digest::from_text(tag(tags::DIGEST)),
        tested: tags.get(tags::TESTED).and_then(|at| at.parse().ok()),
        created: None,
        available: true,
        architecture: None,
        parts: vec![id.clone()],
        size: None,
        id,
        tags,
    }
}

#[async_trait]
impl Platform for Fake {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn region(&self) -> Option<String> {
        None
    }

    async fn find_source(&self, _: &Run, query: &SourceQuery) -> Result<SourceImage> {
        self.call("find-source").await?;
        let id = match query {
            SourceQuery::Id(id) | SourceQuery::Reference(id) => id.clone(),
            SourceQuery::Disk(disk) => disk.location.clone(),
            other => return Err(Error::preflight(format!("no source fits {other:?}"))),
        };
        let known = self.state.lock().unwrap().images.get(&id).map(ImageRecord::as_source);
        Ok(known.unwrap_or(SourceImage {
            name: id.clone(),
            owner: "tests".to_owned(),
            created: None,
            tags: BTreeMap::new(),
            architecture: None,
            identity: id.clone(),
            version: None,
            id,
        }))
    }

    async fn images(&self, _: &Run, query: &ImageQuery) -> Result<Vec<ImageRecord>> {
        self.call("images").await?;
        let state = self.state.lock().unwrap();
        let fits = |image: &&ImageRecord| query.key.as_ref().is_none_or(|key| image.key == *key);
        Ok(state.images.values().filter(fits).cloned().collect())
    }

    async fn launch(&self, run: &Run, launch: &Launch<'_>) -> Result<Box<dyn Machine>> {
        let id = self.next_id("i");
        let ticket = run.intend("fake", "instance", None, &id)?;
        let what = format!("{} {}", if launch.phase.as_str() == "test" { "boot" } else { "launch" }, launch.key);
        if let Err(error) = self.call(&what).await {
            run.ledger().close(ticket, Closed::Refused);
            return Err(error);
        }
        self.state.lock().unwrap().machines.insert(id.clone());
        run.ledger().confirm(ticket, &id);
        Ok(Box::new(FakeMachine { fake: self.clone(), id, key: launch.key.clone() }))
    }

    async fn register(&self, run: &Run, image: &Candidate, registration: &Registration<'_>) -> Result<ImageRecord> {
        let plan = registration.plan;
        self.call(&format!("register {} {}", plan.key, plan.version)).await?;
        let id = self.next_id("img");
        let made = record(id.clone(), plan.settings.name.clone(), registration.tags.clone());
        let mut state = self.state.lock().unwrap();
        if state.images.get(&image.image.id).is_some_and(|candidate| candidate.tested.is_none()) {
            state.images.remove(&image.image.id);
        }
        state.images.insert(id, made.clone());
        run.ledger().close_id("image", &image.image.id, Closed::Published);
        Ok(made)
    }

    async fn deploy(
        &self,
        _: &Run,
        plan: &ImagePlan,
        _: &ImageRecord,
        deployment: &Deployment,
        _: bool,
        rollout: &mut Rollout,
    ) -> Result<()> {
        rollout.outcome = RolloutOutcome::RolledBack;
        self.call(&format!("deploy {} {}", plan.key, deployment.template)).await?;
        rollout.outcome = RolloutOutcome::Deployed;
        Ok(())
    }

    async fn delete_image(&self, _: &Run, image: &str) -> Result<()> {
        self.call(&format!("delete {image}")).await?;
        self.state.lock().unwrap().images.remove(image);
        Ok(())
    }

    async fn undo(&self, _: &Run, entry: &Entry) -> Result<Undo> {
        let id = entry.id.as_ref().unwrap_or(&entry.find_by);
        self.call(&format!("undo {} {id}", entry.kind)).await?;
        let mut state = self.state.lock().unwrap();
        state.machines.remove(id);
        state.images.remove(id);
        Ok(Undo::Done)
    }

    async fn close(&self, _: &Run) -> Result<()> {
        self.call("close").await
    }

    async fn expired(&self, _: &Run, _: &SweepScope) -> Result<Orphans> {
        Ok(Orphans::default())
    }

    async fn remove(&self, _: &Run, _: &Orphan) -> Result<Undo> {
        Ok(Undo::Done)
    }

    async fn permissions(&self, _: &Run, _: &[ImagePlan], _: &[Grant]) -> Result<Vec<Permission>> {
        Ok(Vec::new())
    }
}

struct FakeMachine {
    fake: Fake,
    id: String,
    key: ImageKey,
}

#[async_trait]
impl Machine for FakeMachine {
    fn id(&self) -> &str {
        &self.id
    }

    fn kind(&self) -> &'static str {
        "fake.small"
    }

    fn place(&self) -> String {
        "memory".to_owned()
    }

    async fn connect(&self, _: &Run) -> Result<Arc<dyn Communicator>> {
        self.fake.call(&format!("connect {}", self.key)).await?;
        Ok(Arc::new(Deaf))
    }

    fn login(&self) -> Login {
        Login::default()
    }

    async fn reboot(&self, _: &Run, _: Duration) -> Result<()> {
        self.fake.call(&format!("reboot {}", self.key)).await
    }

    async fn capture(&self, run: &Run, capture: &Capture<'_>) -> Result<Box<dyn PendingImage>> {
        let id = self.fake.next_id("img");
        let ticket = run.intend("fake", "image", None, &capture.name)?;
        if let Err(error) = self.fake.call(&format!("capture {}", self.key)).await {
            run.ledger().close(ticket, Closed::Refused);
            return Err(error);
        }
        run.ledger().confirm(ticket, &id);
        let made = record(id.clone(), capture.name.clone(), capture.tags.clone());
        let candidate = Candidate { image: made.as_source(), parts: made.parts.clone() };
        self.fake.state.lock().unwrap().images.insert(id, made);
        self.destroy(run).await?;
        Ok(Box::new(FakePending { fake: self.fake.clone(), key: self.key.clone(), candidate }))
    }

    async fn destroy(&self, run: &Run) -> Result<()> {
        self.fake.call(&format!("destroy {}", self.key)).await?;
        self.fake.state.lock().unwrap().machines.remove(&self.id);
        run.ledger().close_id("instance", &self.id, Closed::Deleted);
        Ok(())
    }

    async fn keep(&self, _: &Run, Keep { folder, .. }: &Keep) -> Result<String> {
        self.fake.call(&format!("keep {}", self.key)).await?;
        Ok(format!("ssh -i {}", folder.join("key").display()))
    }
}

struct FakePending {
    fake: Fake,
    key: ImageKey,
    candidate: Candidate,
}

#[async_trait]
impl PendingImage for FakePending {
    async fn available(self: Box<Self>, _: &Run) -> Result<Candidate> {
        self.fake.call(&format!("available {}", self.key)).await?;
        Ok(self.candidate)
    }
}

/// A connection that supports no calls: the engine itself never uses one.
struct Deaf;

#[async_trait]
impl Communicator for Deaf {
    async fn exec(&self, _: Exec<'_>, _: &mut dyn OutputSink) -> Result<Exit> {
        Err(Error::internal("the fake machine runs nothing"))
    }

    async fn put(&self, _: Reader<'_>, _: &str) -> Result<()> {
        Err(Error::internal("the fake machine takes nothing"))
    }

    async fn get(&self, _: &str, _: Writer<'_>) -> Result<()> {
        Err(Error::internal("the fake machine gives nothing"))
    }

    async fn dial(&self, _: &str, _: u16) -> Result<Box<dyn Duplex>, DialError> {
        Err(Error::internal("the fake machine has no ports").into())
    }
}
