//! The receiver of a run's events: folds them into the report, feeds the reporter, writes the report.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ami_bake_core::event::{Envelope, Event, Failure, StepOutcome};
use ami_bake_core::mask::Masker;
use ami_bake_core::report::{self, Report};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

use super::reporter::Reporter;
use crate::error::sentence;

/// The report so far and its folder, for a run that is broken off.
#[derive(Clone, Default)]
pub(crate) struct Snapshot(Arc<Mutex<Option<(Report, PathBuf)>>>);

impl Snapshot {
    /// Writes the report as it is.
    pub(crate) fn write(&self, exit_code: u8) {
        // The lock may be held by a thread that never comes back: then no report is written.
        if let Ok(shared) = self.0.try_lock()
            && let Some((report, folder)) = shared.as_ref()
        {
            let _ = report::write(&Report { exit_code: Some(exit_code), ..report.clone() }, folder);
        }
    }

    /// Copies the report after an event. Output lines are not worth a copy: a report that breaks off does not need
    /// them.
    fn update(&self, report: &Report, event: &Event, folder: &Path) {
        if !matches!(event, Event::StepOutput { .. } | Event::Progress { .. }) {
            let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *shared = Some((report.clone(), folder.to_owned()));
        }
    }
}

/// Reads events until the run is finished.
pub(crate) struct Dispatcher {
    task: JoinHandle<Report>,
    snapshot: Snapshot,
}

impl Dispatcher {
    /// Starts to read. With a `folder` the report is written there when the run ends, however it ends.
    pub(crate) fn start(
        mut events: UnboundedReceiver<Envelope>,
        mut reporter: Box<dyn Reporter>,
        folder: Option<PathBuf>,
        masker: Arc<Masker>,
    ) -> Self {
        let snapshot = Snapshot::default();
        let shared = snapshot.clone();
        let task = tokio::spawn(async move {
            let mut report = Report::default();
            while let Some(mut envelope) = events.recv().await {
                mask(&mut envelope.event, &masker);
                let end = matches!(envelope.event, Event::RunFinished { .. });
                report.apply(&envelope);
                let envelopes = match &folder {
                    Some(folder) => {
                        shared.update(&report, &envelope.event, folder);
                        write_at_end(envelope, &mut report, folder)
                    }
                    None => vec![envelope],
                };
                for envelope in envelopes {
                    reporter.on_event(&envelope, &report);
                }
                if end {
                    break;
                }
            }
            report
        });
        Self { task, snapshot }
    }

    /// The report so far, for a run that is broken off.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.snapshot.clone()
    }

    /// Waits until the last event has been shown.
    pub(crate) async fn finish(self) -> Report {
        self.task.await.unwrap_or_default()
    }
}

/// Masks secrets in failures: messages of a platform or a tool may quote its input.
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

/// Writes the report at the last event. The event then says where the report is, or a warning before it says why there
/// is none.
fn write_at_end(envelope: Envelope, report: &mut Report, folder: &Path) -> Vec<Envelope> {
    let Event::RunFinished { exit_code, .. } = envelope.event else { return vec![envelope] };
    match report::write(report, folder) {
        Ok(path) => vec![Envelope { event: Event::RunFinished { exit_code, report: Some(path) }, ..envelope }],
        Err(error) => {
            let help = error.help_text().map(str::to_owned);
            let event = Event::Warning { message: sentence(&error), help, place: None };
            let warning = Envelope { event, ..envelope.clone() };
            report.apply(&warning);
            vec![warning, envelope]
        }
    }
}
