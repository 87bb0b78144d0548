//! A recipe and a provisioner made of plain data, for tests of the engine alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ami_bake_core::event::Package;
use ami_bake_core::output::{OutputSink, Stream};
use ami_bake_core::plan::{
    BakedQuery, Deployment, Digest, Digester, Distribution, Draft, ImageDefinition, ImageKey, ImagePlan, ImageSettings,
    Inputs, MachineSettings, OnFailure, PartKind, Phase, ReadInputs, Recipe, Refresh, Retention, RunStep, SourceImage,
    SourceQuery, Step, StepAction, Strategy, Variant, VersionRule,
};
use ami_bake_core::provision::{ConnectedMachine, Login, Provisioner};
use ami_bake_core::{Error, Result, Route, Run};
use async_trait::async_trait;
use semver::Version;

/// A step whose script is an order for the [`Scripted`] provisioner: `pass`, `fail`, `hang`, `fail-once`.
pub fn step(name: &str, order: &str) -> Step {
    Step {
        name: name.to_owned(),
        route: Route::root().key("images"),
        action: StepAction::Run(RunStep { script: order.to_owned(), shell: None, user: None, working_directory: None }),
        env: Vec::new(),
        timeout: None,
        retries: 0,
        on_failure: OnFailure::Abort,
        cache_for: None,
        inputs: Inputs::default(),
    }
}

/// One image of a [`Plain`] recipe.
#[derive(Debug, Clone)]
pub struct PlainImage {
    /// Name of the image.
    pub name: String,
    /// The image of the same recipe that this one is built on.
    pub base: Option<String>,
    /// The image's `version` in the manifest.
    pub version: VersionRule,
    /// The image's `retention`.
    pub retention: Retention,
    /// Deployments of the image.
    pub deployments: Vec<Deployment>,
    /// Build steps.
    pub build: Vec<Step>,
    /// Test steps.
    pub test: Vec<Step>,
    /// Counts how often the image's files were read.
    pub reads: Arc<AtomicUsize>,
}

impl PlainImage {
    /// An image with one step that passes and one test that passes.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            base: None,
            version: VersionRule::Auto,
            retention: Retention::default(),
            deployments: Vec::new(),
            build: vec![step("build it", "pass")],
            test: vec![step("test it", "pass")],
            reads: Arc::default(),
        }
    }

    /// Adds deployments with these names.
    #[must_use]
    pub fn deployed_to(mut self, targets: &[&str]) -> Self {
        let refresh = Refresh {
            min_healthy: None,
            max_healthy: None,
            warmup: None,
            wait: Duration::from_mins(1),
            checkpoints: Vec::new(),
            pause: Duration::ZERO,
            skip_matching: true,
            alarms: Vec::new(),
            rollback: true,
        };
        self.deployments = targets
            .iter()
            .map(|target| Deployment {
                route: Route::root().key("images").key(&self.name).key("deploy"),
                wanted: true,
                template: (*target).to_owned(),
                region: None,
                role: None,
                source_version: None,
                set_default: None,
                group: None,
                strategy: Strategy::Refresh(refresh.clone()),
                keep_old: Duration::ZERO,
                keep_versions: None,
            })
            .collect();
        self
    }

    /// Builds the image on another one.
    #[must_use]
    pub fn on(mut self, base: &str) -> Self {
        self.base = Some(base.to_owned());
        self
    }
}

/// A recipe in the namespace `shop`.
#[derive(Debug, Clone)]
pub struct Plain(pub Vec<PlainImage>);

impl Recipe for Plain {
    fn namespace(&self) -> &'static str {
        "shop"
    }

    fn drafts(self: Arc<Self>) -> Vec<Draft> {
        let variant = |image: &PlainImage| Variant {
            key: ImageKey::new(&image.name),
            route: Route::root().key("images").key(&image.name),
            source: image.base.as_ref().map_or_else(
                || SourceQuery::Reference("linux".to_owned()),
                |base| {
                    SourceQuery::Baked(BakedQuery {
                        namespace: "shop".to_owned(),
                        key: ImageKey::new(base),
                        version: None,
                        sibling: true,
                    })
                },
            ),
            after: image.base.as_ref().map(ImageKey::new),
            version: image.version.clone(),
        };
        let draft = |image: &PlainImage| Draft::new(variant(image), Arc::new(image.clone()));
        self.0.iter().map(draft).collect()
    }
}

impl ImageDefinition for PlainImage {
    fn evaluate(&self, source: &SourceImage, version: &Version) -> Result<ImagePlan> {
        let key = ImageKey::new(&self.name);
        Ok(ImagePlan {
            route: Route::root().key("images").key(&self.name),
            namespace: "shop".to_owned(),
            source: source.clone(),
            machine: MachineSettings::default(),
            build: self.build.clone(),
            validate: Vec::new(),
            test: self.test.clone(),
            settings: ImageSettings {
                name: format!("shop/{key}/{version}"),
                retention: self.retention,
                deployments: self.deployments.clone(),
                distribution: Distribution { wanted: version.pre.is_empty(), ..Distribution::default() },
                ..ImageSettings::default()
            },
            version: version.clone(),
            digest: Digest::from_text(""),
            parts: ami_bake_core::plan::DigestParts::default(),
            key,
        })
    }

    fn read(&self, plan: &ImagePlan) -> Result<ReadInputs> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let mut digester = Digester::default();
        digester.begin(PartKind::Source, "");
        digester.part("source", &plan.source.identity);
        for step in &self.build {
            digester.begin(PartKind::Step(Phase::Build), step.name.as_str());
            digester.part("step", format!("{step:?}"));
        }
        let (digest, parts) = digester.finish_with_parts();
        Ok(ReadInputs { digest, parts, inputs: Inputs::default() })
    }
}

/// A provisioner that obeys the orders in the steps' scripts.
#[derive(Debug, Clone, Default)]
pub struct Scripted {
    failed_once: Arc<Mutex<BTreeSet<String>>>,
    /// How often each step was applied, by step name.
    pub applied: Arc<Mutex<BTreeMap<String, usize>>>,
}

#[async_trait]
impl Provisioner for Scripted {
    async fn begin(&self, _: &Run, _: &ConnectedMachine<'_>) -> Result<()> {
        Ok(())
    }

    async fn apply(&self, run: &Run, _: &ConnectedMachine<'_>, step: &Step, output: &mut dyn OutputSink) -> Result<()> {
        *self.applied.lock().unwrap().entry(step.name.clone()).or_default() += 1;
        let StepAction::Run(RunStep { script, .. }) = &step.action else {
            return Err(Error::internal("only run is scripted"));
        };
        output.write(Stream::Stdout, format!("{script} it is\n").as_bytes());
        match script.as_str() {
            "pass" => Ok(()),
            "hang" => {
                run.clock().sleep(Duration::from_hours(10_000)).await;
                Ok(())
            }
            "fail-once" if !self.failed_once.lock().unwrap().insert(step.name.clone()) => Ok(()),
            _ => Err(Error::build(format!("run the step {:?}: it exited with status 1", step.name))),
        }
    }

    async fn packages(&self, _: &Run, _: &ConnectedMachine<'_>) -> Result<Vec<Package>> {
        Ok(Vec::new())
    }

    async fn clean(&self, _: &Run, _: &ConnectedMachine<'_>, _: &ImageSettings) -> Result<()> {
        Ok(())
    }

    async fn scan(&self, _: &Run, _: &ConnectedMachine<'_>, _: &ImageSettings) -> Result<()> {
        Ok(())
    }

    async fn seal(&self, _: &Run, _: &ConnectedMachine<'_>, _: &ImageSettings, _: &Login) -> Result<()> {
        Ok(())
    }
}
