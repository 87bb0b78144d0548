//! A run over the platform, as the engine would make it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_aws::{Aws, Settings};
use ami_bake_core::clock::SystemClock;
use ami_bake_core::communicator::{Communicator, Exec, Exit};
use ami_bake_core::event::{Envelope, Event, Events};
use ami_bake_core::ledger::Ledger;
use ami_bake_core::limit::Limiter;
use ami_bake_core::mask::Masker;
use ami_bake_core::output::Collect;
use ami_bake_core::plan::{Architecture, ImageKey, MachineSettings, Phase, SourceImage, SourceQuery};
use ami_bake_core::platform::{Launch, Machine, Platform};
use ami_bake_core::run::Shared;
use ami_bake_core::{Result, Run};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

/// Canonical's account.
pub(crate) const CANONICAL: &str = "099720109477";

/// Platform and run of one test.
pub(crate) struct Bed {
    pub(crate) aws: Aws,
    pub(crate) run: Run,
    pub(crate) events: UnboundedReceiver<Envelope>,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let clock = Arc::new(SystemClock::default());
        let limiter = Arc::new(Limiter::new(clock.clone()));
        let aws = Aws::new(settings, clock.clone(), limiter).await.unwrap();
        let (events, receiver) = Events::channel();
        let id = uuid::Uuid::new_v4().to_string();
        let shared = Shared {
            ledger: Ledger::in_memory(&id),
            id,
            origin: BTreeMap::from([("ami-bake:repository".to_owned(), "shop/images".to_owned())]),
            clock,
            masker: Arc::new(Masker::default()),
            secrets: BTreeMap::new(),
            events,
        };
        Self { aws, run: Run::new(shared, CancellationToken::new()), events: receiver }
    }

    pub(crate) async fn ubuntu(&self) -> SourceImage {
        self.aws.find_source(&self.run, &ubuntu()).await.unwrap()
    }

    pub(crate) async fn launch(&self, source: &SourceImage, settings: &MachineSettings) -> Result<Box<dyn Machine>> {
        self.launch_for(&ImageKey::new("base"), source, settings).await
    }

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

    /// What the events so far say, one line each.
    pub(crate) fn said(&mut self) -> String {
        let mut lines = Vec::new();
        while let Ok(envelope) = self.events.try_recv() {
            match envelope.event {
                Event::Progress { message } | Event::Warning { message, .. } => lines.push(message),
                _ => {}
            }
        }
        lines.join("\n")
    }
}

/// The newest Ubuntu of the test cloud.
pub(crate) fn ubuntu() -> SourceQuery {
    SourceQuery::Newest {
        owners: vec![CANONICAL.to_owned()],
        name: "ubuntu/images/*noble-24.04-amd64-server-*".to_owned(),
        architecture: Some(Architecture::X86_64),
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

/// The run's end: what it shared goes, at the first try, since every machine left its group before.
pub(crate) async fn closed(bed: &Bed) {
    bed.aws.close(&bed.run).await.unwrap();
    assert_eq!(bed.run.ledger().open_entries(), []);
}
