//! A run from its first event to its last.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use ami_bake_core::clock::{Clock, SystemClock};
use ami_bake_core::event::{Event, Events};
use ami_bake_core::ledger::Ledger;
use ami_bake_core::mask::Masker;
use ami_bake_core::report::Report;
use ami_bake_core::run::Shared;
use ami_bake_core::{Error, Result, Run};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::ledgers;
use crate::report::{Dispatcher, Explain, JsonLines, Quiet, Reporter, Terminal};
use crate::signals;
use crate::ui::Ui;

/// What is shown of a run.
pub(crate) enum Show {
    /// Everything, for people.
    All(Explain),
    /// Every event as a line of JSON.
    Events,
    /// Warnings alone: the command prints its own answer.
    Warnings,
}

/// What a run is made of.
pub(crate) struct Parts {
    /// What is shown.
    pub(crate) show: Show,
    /// True when it creates something, so that it needs a ledger in a file.
    pub(crate) creates: bool,
    /// Where the report is written.
    pub(crate) report: Option<PathBuf>,
    /// Tags that say where it comes from.
    pub(crate) origin: BTreeMap<String, String>,
    /// Values of the declared secrets.
    pub(crate) secrets: BTreeMap<String, SecretString>,
}

impl Parts {
    /// A run that only looks.
    pub(crate) fn reading(show: Show) -> Self {
        Self { show, creates: false, report: None, origin: BTreeMap::new(), secrets: BTreeMap::new() }
    }
}

/// Variables of the environment whose values are never shown, whoever prints them.
const ALWAYS_SECRET: [&str; 5] =
    ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"];

/// A run that is going on.
pub(crate) struct Session {
    /// The run.
    pub(crate) run: Run,
    dispatcher: Dispatcher,
}

impl Session {
    /// Begins a run: its ledger, its reporters, its signals.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub(crate) fn begin(parts: Parts, ui: Ui) -> Result<Self> {
        let id = Uuid::now_v7().simple().to_string();
        let ledger = if parts.creates { Ledger::create(&ledgers()?, &id)? } else { Ledger::in_memory(&id) };
        #[cfg(feature = "github")]
        if let (Some(action), Some(path)) = (crate::action::current(), ledger.path()) {
            action.save("ledger", &path.display().to_string());
            for path in path.parent().into_iter().chain([path]) {
                action.give(path);
            }
        }
        Ok(Self::of(id, ledger, parts, ui))
    }

    /// Goes on with what another run left in its ledger.
    #[cfg(feature = "github")]
    pub(crate) fn resume(ledger: Ledger, parts: Parts, ui: Ui) -> Self {
        Self::of(Uuid::now_v7().simple().to_string(), ledger, parts, ui)
    }

    fn of(id: String, ledger: Ledger, parts: Parts, ui: Ui) -> Self {
        let masker = Arc::new(Masker::default());
        #[cfg(feature = "github")]
        if let Some(action) = crate::action::current() {
            masker.listen(|secret| action.log.mask(secret));
        }
        let environment = ALWAYS_SECRET.iter().filter_map(|name| std::env::var(name).ok());
        for secret in environment.chain(parts.secrets.values().map(|secret| secret.expose_secret().to_owned())) {
            masker.add(&secret);
        }
        let reporter: Box<dyn Reporter> = match parts.show {
            #[cfg(feature = "github")]
            Show::All(explain) if crate::action::current().is_some() => crate::action::reporter(Some(explain), ui),
            #[cfg(feature = "github")]
            Show::Warnings if crate::action::current().is_some() => crate::action::reporter(None, ui),
            Show::All(explain) => Box::new(Terminal::new(ui, explain)),
            Show::Events => Box::new(JsonLines::new(std::io::stdout())),
            Show::Warnings => Box::new(Quiet::new(ui)),
        };
        let (events, receiver) = Events::channel();
        let dispatcher = Dispatcher::start(receiver, vec![reporter], parts.report, Arc::clone(&masker));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let cancel = CancellationToken::new();
        signals::listen(cancel.clone(), ui);
        let shared = Shared { id, origin: parts.origin, clock, ledger, masker, secrets: parts.secrets, events };
        Self { run: Run::new(shared, cancel), dispatcher }
    }

    /// Ends a run that could not begin its work.
    ///
    /// # Errors
    /// Always `error`, to be printed as the command's end.
    pub(crate) async fn fail(self, error: Error) -> Result<u8> {
        self.end(error.kind().exit_code()).await;
        Err(error)
    }

    /// Ends the run: the last event, the report, the ledger.
    pub(crate) async fn end(self, exit_code: u8) -> u8 {
        self.end_with_report(exit_code).await.0
    }

    /// The same, for a command that does something with what came of it.
    pub(crate) async fn end_with_report(self, exit_code: u8) -> (u8, Report) {
        self.run.emit(Event::RunFinished { exit_code, report: None });
        let report = self.dispatcher.finish().await;
        self.run.ledger().finish();
        #[cfg(feature = "github")]
        if let Some(action) = crate::action::current() {
            action.told(&report, self.run.masker()).await;
        }
        (exit_code, report)
    }
}
