//! The receiver of a run's events: folds them into the report, feeds the reporter, writes the report.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ami_bake_core::error::UNCLEAN;
use ami_bake_core::event::{Envelope, Event, EventReceiver, Failure, QueuedEvent, StepOutcome};
use ami_bake_core::mask::Masker;
use ami_bake_core::report::{self, Report};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::display::Display;
use super::reporter::Reporter;
use crate::error::sentence;

/// The current report and its folder, for a run that is interrupted.
#[derive(Clone, Default)]
pub(crate) struct Snapshot(Arc<Mutex<Option<(Report, PathBuf)>>>);

impl Snapshot {
    /// Writes the current report.
    pub(crate) fn write(&self, exit_code: u8) {
        // If a thread that never returns holds the lock, no report is written.
        if let Ok(shared) = self.0.try_lock()
            && let Some((report, folder)) = shared.as_ref()
        {
            let _ = report::write(&Report { exit_code: Some(exit_code), ..report.clone() }, folder);
        }
    }

    /// Copies the report after an event, except for output lines: the report of an interrupted run does not need them.
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
    display: Display,
    snapshot: Snapshot,
}

impl Dispatcher {
    /// Starts to read events. With a `folder` the report is written there when the run ends, however it ends, without
    /// waiting for the reader of the log. Once `cancel` is cancelled, output that was not shown yet is dropped.
    pub(crate) fn start(
        mut events: EventReceiver,
        reporter: Box<dyn Reporter>,
        folder: Option<PathBuf>,
        masker: Arc<Masker>,
        cancel: CancellationToken,
    ) -> Self {
        let snapshot = Snapshot::default();
        let shared = snapshot.clone();
        let (sender, display) = Display::start(reporter, cancel);
        let task = tokio::spawn(async move {
            let mut report = Report::default();
            while let Some(mut queued) = events.recv().await {
                mask(&mut queued.envelope.event, &masker);
                let end = matches!(queued.envelope.event, Event::RunFinished { .. });
                report.apply(&queued.envelope);
                if let Some(folder) = &folder {
                    shared.update(&report, &queued.envelope.event, folder);
                    if end && let Some(warning) = write_at_end(&mut queued.envelope, &mut report, folder) {
                        let _ = sender.send(QueuedEvent::from(warning));
                    }
                }
                // If the display has ended, nothing more is shown.
                let _ = sender.send(queued);
                if end {
                    break;
                }
            }
            report
        });
        Self { task, display, snapshot }
    }

    /// The current report, for a run that is interrupted.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.snapshot.clone()
    }

    /// Waits for the last event, calls `ended`, and waits until everything has been shown; the wait for a stalled
    /// reader is limited.
    pub(crate) async fn finish(self, ended: impl FnOnce()) -> Report {
        let report = self.task.await.unwrap_or_default();
        ended();
        self.display.finish().await;
        report
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

/// Writes the report at the last event. The event then has its path; otherwise a warning has the reason, and the run
/// counts as not clean.
fn write_at_end(envelope: &mut Envelope, report: &mut Report, folder: &Path) -> Option<Envelope> {
    let Event::RunFinished { exit_code, report: file } = &mut envelope.event else { return None };
    match report::write(report, folder) {
        Ok(path) => {
            *file = Some(path);
            None
        }
        Err(error) => {
            let help = error.help_text().map(str::to_owned);
            let event = Event::Warning { message: sentence(&error), help, place: None };
            if *exit_code == 0 {
                *exit_code = UNCLEAN;
            }
            let warning = Envelope { event, ..envelope.clone() };
            report.apply(&warning);
            report.apply(envelope);
            Some(warning)
        }
    }
}
