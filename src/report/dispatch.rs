//! The one receiver of a run's events: folds them into the report, feeds the reporters, writes the file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ami_bake_core::event::{Envelope, Event, Failure, StepOutcome};
use ami_bake_core::mask::Masker;
use ami_bake_core::report::{self, Report};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

use super::Reporter;

/// The report so far, also within reach of a second signal.
static REPORT: Mutex<Option<(Report, PathBuf)>> = Mutex::new(None);

/// Reads events until the run is finished.
pub(crate) struct Dispatcher {
    task: JoinHandle<Report>,
}

impl Dispatcher {
    /// Starts to read. With a `folder` the report is written there when the run ends, however it ends.
    pub(crate) fn start(
        mut events: UnboundedReceiver<Envelope>,
        mut reporters: Vec<Box<dyn Reporter>>,
        folder: Option<PathBuf>,
        masker: Arc<Masker>,
    ) -> Self {
        let task = tokio::spawn(async move {
            let mut report = Report::default();
            while let Some(mut envelope) = events.recv().await {
                mask(&mut envelope.event, &masker);
                let end = matches!(envelope.event, Event::RunFinished { .. });
                for envelope in with_file(envelope, &mut report, folder.as_deref()) {
                    for reporter in &mut reporters {
                        reporter.on_event(&envelope, &report);
                    }
                }
                if end {
                    break;
                }
            }
            report
        });
        Self { task }
    }

    /// Waits until the last event has been told.
    pub(crate) async fn finish(self) -> Report {
        self.task.await.unwrap_or_default()
    }
}

/// Takes secrets out of failures: a platform's or a tool's own words may quote what it was given.
fn mask(event: &mut Event, masker: &Masker) {
    let failure = match event {
        Event::StageFinished { failure, .. } | Event::ImageFinished { failure, .. } => failure.as_mut(),
        Event::StepFinished { outcome, .. } => match outcome {
            StepOutcome::Passed => None,
            StepOutcome::Retrying(failure) | StepOutcome::Failed(failure) | StepOutcome::Ignored(failure) => {
                Some(failure)
            }
        },
        _ => None,
    };
    let Some(Failure { message, causes, help, .. }) = failure else { return };
    for text in causes.iter_mut().chain(help.as_mut()).chain([message]) {
        *text = masker.mask(text);
    }
}

/// Folds an event into the report. With the last one the report is written: the event then says where, or a warning
/// before it says why not.
fn with_file(envelope: Envelope, report: &mut Report, folder: Option<&Path>) -> Vec<Envelope> {
    report.apply(&envelope);
    let Some(folder) = folder else { return vec![envelope] };
    remember(report, &envelope, folder);
    let Event::RunFinished { exit_code, .. } = envelope.event else { return vec![envelope] };
    match report::write(report, folder) {
        Ok(path) => vec![Envelope { event: Event::RunFinished { exit_code, report: Some(path) }, ..envelope }],
        Err(error) => {
            let message = format!("failed to {error}: {}", error.causes().join(": "));
            let event = Event::Warning { message, help: error.help_text().map(str::to_owned), place: None };
            let warning = Envelope { event, ..envelope.clone() };
            report.apply(&warning);
            vec![warning, envelope]
        }
    }
}

/// Output lines change nothing that a report which breaks off would need; all else is worth a copy.
fn remember(report: &Report, envelope: &Envelope, folder: &Path) {
    if !matches!(envelope.event, Event::StepOutput { .. } | Event::Progress { .. }) {
        let mut shared = REPORT.lock().unwrap_or_else(PoisonError::into_inner);
        *shared = Some((report.clone(), folder.to_owned()));
    }
}

/// Writes what is known of a run that is broken off this very moment (a second signal).
pub(crate) fn abort(exit_code: u8) {
    // The lock may be held by a thread that never comes back: then there is no report.
    if let Ok(shared) = REPORT.try_lock()
        && let Some((report, folder)) = shared.as_ref()
    {
        let _ = report::write(&Report { exit_code: Some(exit_code), ..report.clone() }, folder);
    }
}
