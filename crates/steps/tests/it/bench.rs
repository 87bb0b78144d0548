//! What every test needs: a run, a machine, a step, and its output.

use std::sync::Arc;

use ami_bake_core::clock::SystemClock;
use ami_bake_core::event::Envelope;
use ami_bake_core::output::Collect;
use ami_bake_core::plan::{OnFailure, Step, Value, Verb};
use ami_bake_core::provision::{Provisioner as _, Reached};
use ami_bake_core::{Error, Result, Route, Run};
use ami_bake_steps::Verbs;
use ami_bake_testkit::runs;
use ami_bake_testkit::shell::{HostMachine, HostShell};
use tokio::sync::mpsc::UnboundedReceiver;

pub struct Bench {
    pub run: Run,
    pub events: UnboundedReceiver<Envelope>,
    pub machine: HostMachine,
    pub shell: Arc<HostShell>,
    pub verbs: Verbs,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(&[], HostShell::bare())
    }

    pub fn with(secrets: &[(&str, &str)], shell: HostShell) -> Self {
        let (run, events) = runs::with(Arc::new(SystemClock::default()), secrets);
        Self { run, events, machine: HostMachine::default(), shell: Arc::new(shell), verbs: Verbs::default() }
    }

    pub fn on(&self) -> Reached<'_> {
        self.machine.reached(&self.shell)
    }

    pub async fn apply(&self, step: &Step) -> (Result<()>, Collect) {
        let mut output = Collect::default();
        let result = self.verbs.apply(&self.run, &self.on(), step, &mut output).await;
        (result, output)
    }

    pub async fn passes(&self, step: &Step) -> String {
        let (result, output) = self.apply(step).await;
        if let Err(error) = result {
            panic!("{}; {}", whole(&error), output.stderr_text());
        }
        output.stdout_text()
    }

    pub async fn fails(&self, step: &Step) -> Error {
        self.apply(step).await.0.unwrap_err()
    }
}

/// An error with all that a person sees of it.
pub fn whole(error: &Error) -> String {
    let mut text = error.message().to_owned();
    for cause in error.causes() {
        text = format!("{text} | {cause}");
    }
    format!("{text} | {}", error.help_text().unwrap_or("-"))
}

pub fn step(verb: Verb) -> Step {
    Step {
        name: "it".to_owned(),
        route: Route::root().key("images").key("web").key("build").index(0),
        verb,
        env: Vec::new(),
        timeout: None,
        retries: 0,
        on_failure: OnFailure::Abort,
        cache_for: None,
    }
}

pub fn script(text: &str) -> Step {
    step(Verb::Run { script: text.to_owned(), shell: None, user: None, working_directory: None })
}

pub fn with_env(mut step: Step, env: &[(&str, &str)]) -> Step {
    step.env = env.iter().map(|(name, value)| ((*name).to_owned(), Value::Plain((*value).to_owned()))).collect();
    step
}
