//! A run, from its first event to its last.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use ami_bake_core::clock::{Clock, SystemClock};
use ami_bake_core::error::UNCLEAN;
use ami_bake_core::event::{Event, Events};
use ami_bake_core::ledger::Ledger;
use ami_bake_core::output::LogFolder;
use ami_bake_core::report::{self, Report};
use ami_bake_core::run::RunParts;
use ami_bake_core::{Error, Result, Run};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::folders::ledgers;
use crate::error;
use crate::host::Host;
use crate::report::{Dispatcher, Show};
use crate::signals;

/// How a run is shown and recorded.
pub(crate) struct Settings {
    /// What the terminal or the workflow log shows.
    pub(crate) show: Show,
    /// True when the run creates something, so that its ledger must survive the process.
    pub(crate) creates: bool,
    /// Folder for the report; `None` writes no report.
    pub(crate) report: Option<PathBuf>,
    /// Folder for the whole output of steps; `None` does not keep it.
    pub(crate) logs: Option<PathBuf>,
    /// Tags with the origin of resources: commit and workflow run.
    pub(crate) origin: BTreeMap<String, String>,
    /// Values of the declared secrets.
    pub(crate) secrets: BTreeMap<String, SecretString>,
}

impl Settings {
    /// Settings of a run that creates nothing.
    pub(crate) fn reading(show: Show) -> Self {
        Self { show, creates: false, report: None, logs: None, origin: BTreeMap::new(), secrets: BTreeMap::new() }
    }
}

/// A run in progress.
pub(crate) struct Session {
    /// The run.
    pub(crate) run: Run,
    /// Folder of the report.
    folder: Option<PathBuf>,
    dispatcher: Dispatcher,
    host: Arc<dyn Host>,
}

impl Session {
    /// Begins a run with its ledger, reporter and signal handler.
    ///
    /// # Errors
    /// When the ledger can't be written, or the folder for logs can't be created.
    pub(crate) fn begin(mut settings: Settings, host: &Arc<dyn Host>) -> Result<Self> {
        let id = Uuid::now_v7().simple().to_string();
        let created = Arc::clone(host);
        let logs = settings.logs.take().map(|folder| LogFolder::create(folder, move |path| created.file_created(path)));
        let logs = logs.transpose()?;
        let ledger =
            if settings.creates { Ledger::create(&ledgers(host.as_ref())?, &id)? } else { Ledger::in_memory(&id) };
        if let Some(path) = ledger.path() {
            host.ledger_created(path);
        }
        Ok(Self::with_logs(id, ledger, logs, settings, host))
    }

    /// Begins a run with an existing ledger, which may be that of another run.
    #[allow(dead_code, reason = "a build without the feature `github` does not use it")]
    pub(crate) fn with_ledger(id: String, ledger: Ledger, settings: Settings, host: &Arc<dyn Host>) -> Self {
        Self::with_logs(id, ledger, None, settings, host)
    }

    fn with_logs(
        id: String,
        ledger: Ledger,
        logs: Option<LogFolder>,
        settings: Settings,
        host: &Arc<dyn Host>,
    ) -> Self {
        let masker = Arc::clone(host.masker());
        // An optional secret that is not set is empty.
        let secrets = settings.secrets.iter().filter(|(_, value)| !value.expose_secret().is_empty());
        let bare: Vec<&String> =
            secrets.filter(|(_, value)| !masker.add(value.expose_secret())).map(|(name, _)| name).collect();
        let bare: Vec<String> = if settings.creates { bare.into_iter().cloned().collect() } else { Vec::new() };
        let (events, receiver) = Events::channel();
        let reporter = host.reporter(settings.show);
        let cancel = CancellationToken::new();
        let folder = settings.report.clone();
        let dispatcher = Dispatcher::start(receiver, reporter, settings.report, Arc::clone(&masker), cancel.clone());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        signals::listen(cancel.clone(), Arc::clone(host), dispatcher.snapshot());
        let Settings { origin, secrets, .. } = settings;
        let shared = RunParts { id, origin, clock, ledger, masker, secrets, events, logs };
        let run = Run::new(shared, cancel);
        for name in bare {
            run.warn(
                format!(
                    "the secret `{name}` is not masked in the output: it is too short, or a setting such as `true`"
                ),
                Some("Use a value of at least four characters, or remove it from `secrets`.".to_owned()),
            );
        }
        Self { run, folder, dispatcher, host: Arc::clone(host) }
    }

    /// Ends a run that could not begin its work.
    ///
    /// # Errors
    /// Always returns `error`, so that it is printed as the end of the command.
    pub(crate) async fn fail(self, error: Error) -> Result<u8> {
        self.end(error.kind().exit_code()).await;
        Err(error)
    }

    /// Ends the run with its last event, its report and its ledger, and returns the exit code, which changes when the
    /// report could not be written.
    pub(crate) async fn end(self, exit_code: u8) -> u8 {
        self.end_with_report(exit_code).await.exit_code.unwrap_or(exit_code)
    }

    /// Ends the run and returns its report.
    pub(crate) async fn end_with_report(self, exit_code: u8) -> Report {
        self.run.emit(Event::RunFinished { exit_code, report: None });
        let mut report = self.dispatcher.finish(|| self.run.ledger().finish()).await;
        self.host.run_ended(&report, self.run.masker()).await;
        if let (Some(0 | UNCLEAN), Some(code)) = (report.exit_code, self.host.late_failure()) {
            report.exit_code = Some(code);
            // The file has the run's own exit code, which later steps would read as a success.
            match self.folder.map(|folder| report::write(&report, &folder)) {
                Some(Ok(path)) => self.host.file_created(&path),
                Some(Err(error)) => self.host.say(&error::render(&error, self.host.ui().paint)),
                None => {}
            }
        }
        report
    }
}
