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
    display: Display,
    snapshot: Snapshot,
}

impl Dispatcher {
    /// Starts to read. With a `folder` the report is written there when the run ends, however it ends; the reader of the
    /// log is not waited for before that. Once `cancel` is cancelled, output that was not shown yet is left out.
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
                // A display that has ended shows nothing more.
                let _ = sender.send(queued);
                if end {
                    break;
                }
            }
            report
        });
        Self { task, display, snapshot }
    }

    /// The report so far, for a run that is broken off.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.snapshot.clone()
    }

    /// Waits for the last event, calls `ended`, and waits until everything has been shown. A reader that stalls is not
    /// waited for without end.
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

/// Writes the report at the last event. The event then says where the report is; else a warning says why there is none,
/// and a run that did all else is not clean.
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
