//! A run, a machine, and helpers to apply steps and read their output.

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::clock::{Clock, SystemClock};
use ami_bake_core::event::EventReceiver;
use ami_bake_core::output::Collect;
use ami_bake_core::plan::{OnFailure, RunStep, Step, StepAction, Value};
use ami_bake_core::provision::{ConnectedMachine, Provisioner as _};
use ami_bake_core::{Error, Result, Route, Run};
use ami_bake_steps::StepRunner;
use ami_bake_testkit::clock::ManualClock;
use ami_bake_testkit::runs;
use ami_bake_testkit::shell::{HostMachine, HostShell};

pub(crate) struct Fixture {
    pub(crate) run: Run,
    pub(crate) events: EventReceiver,
    pub(crate) machine: HostMachine,
    pub(crate) shell: Arc<HostShell>,
    pub(crate) runner: StepRunner,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(&[], HostShell::bare())
    }

    pub(crate) fn with(secrets: &[(&str, &str)], shell: HostShell) -> Self {
        Self::at(Arc::new(SystemClock::default()), secrets, shell)
    }

    /// A fixture on whose clock pauses end at once, after a call of `each`, and no time limit is reached: see
    /// [`ManualClock::skipping`].
    pub(crate) fn skipping(each: impl Fn() + Send + Sync + 'static) -> (Self, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::skipping(Duration::from_secs(5), each));
        (Self::at(Arc::clone(&clock) as Arc<dyn Clock>, &[], HostShell::bare()), clock)
    }

    fn at(clock: Arc<dyn Clock>, secrets: &[(&str, &str)], shell: HostShell) -> Self {
        let (run, events) = runs::with(clock, secrets);
        Self { run, events, machine: HostMachine::default(), shell: Arc::new(shell), runner: StepRunner::default() }
    }

    pub(crate) fn on(&self) -> ConnectedMachine<'_> {
        self.machine.reached(&self.shell)
    }

    pub(crate) async fn apply(&self, step: &Step) -> (Result<()>, Collect) {
        let mut output = Collect::default();
        let result = self.runner.apply(&self.run, &self.on(), step, &mut output).await;
        (result, output)
    }

    pub(crate) async fn passes(&self, step: &Step) -> String {
        let (result, output) = self.apply(step).await;
        if let Err(error) = result {
            panic!("{}; {}", whole(&error), output.stderr_text());
        }
        output.stdout_text()
    }

    pub(crate) async fn fails(&self, step: &Step) -> Error {
        self.apply(step).await.0.unwrap_err()
    }
}

/// The whole error message, with causes and help.
pub(crate) fn whole(error: &Error) -> String {
    let mut text = error.message().to_owned();
    for cause in error.causes() {
        text = format!("{text} | {cause}");
    }
    format!("{text} | {}", error.help_text().unwrap_or("-"))
}

pub(crate) fn step(action: StepAction) -> Step {
    Step {
        name: "it".to_owned(),
        route: Route::root().key("images").key("web").key("build").index(0),
        action,
        env: Vec::new(),
        timeout: None,
        retries: 0,
        on_failure: OnFailure::Abort,
        cache_for: None,
        inputs: ami_bake_core::plan::Inputs::default(),
    }
}

pub(crate) fn script(text: &str) -> Step {
    step(StepAction::Run(RunStep { script: text.to_owned(), shell: None, user: None, working_directory: None }))
}

pub(crate) fn with_env(mut step: Step, env: &[(&str, &str)]) -> Step {
    step.env = env.iter().map(|(name, value)| ((*name).to_owned(), Value::Plain((*value).to_owned()))).collect();
    step
}
