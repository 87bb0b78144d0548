//! Shows events on a thread of its own, because the reader of the log may be slow, stall or disconnect.

use std::time::Duration;

use ami_bake_core::event::{Envelope, Event, QueuedEvent};
use ami_bake_core::report::Report;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::reporter::Reporter;

/// Maximum wait for the reader of the log at the end of a cancelled run.
const CANCELLED: Duration = Duration::from_secs(1);
/// The same for any other run, whose reader may be a person with a pager. Everything is cleaned up by then.
const DONE: Duration = Duration::from_mins(10);

/// The thread that shows events.
pub(super) struct Display {
    thread: JoinHandle<()>,
    cancel: CancellationToken,
}

impl Display {
    /// Starts to show events.
    pub(super) fn start(
        reporter: Box<dyn Reporter>,
        cancel: CancellationToken,
    ) -> (UnboundedSender<QueuedEvent>, Self) {
        let (sender, receiver) = unbounded_channel();
        let token = cancel.clone();
        let thread = spawn_blocking(move || show(receiver, reporter, &token));
        (sender, Self { thread, cancel })
    }

    /// Waits until everything is shown, within these limits.
    pub(super) async fn finish(self) {
        let Self { mut thread, cancel } = self;
        tokio::select! {
            _ = timeout(DONE, &mut thread) => return,
            () = cancel.cancelled() => {}
        }
        let _ = timeout(CANCELLED, thread).await;
    }
}

/// Shows events, with its own copy of the report: the thread that writes the report does not wait for this one.
fn show(mut events: UnboundedReceiver<QueuedEvent>, mut reporter: Box<dyn Reporter>, cancel: &CancellationToken) {
    let mut report = Report::default();
    let mut left_out = 0;
    while let Some(queued) = events.blocking_recv() {
        let envelope = &queued.envelope;
        report.apply(envelope);
        if matches!(envelope.event, Event::StepOutput { .. }) && cancel.is_cancelled() {
            left_out += 1;
            continue;
        }
        if left_out > 0 {
            let message = format!("Left out {left_out} lines of output that were not shown yet");
            let note = Envelope { event: Event::Progress { message }, ..envelope.clone() };
            reporter.on_event(&note, &report);
            left_out = 0;
        }
        reporter.on_event(envelope, &report);
        if matches!(envelope.event, Event::RunFinished { .. }) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, mpsc};

    use ami_bake_core::event::EVENT_VERSION;
    use ami_bake_core::output::Stream;
    use ami_bake_core::plan::{ImageKey, Phase};
    use jiff::Timestamp;

    use super::*;

    /// Shows an event for each message on its gate, and records its name.
    struct Gated {
        gate: mpsc::Receiver<()>,
        seen: Arc<Mutex<Vec<String>>>,
    }

    impl Reporter for Gated {
        fn on_event(&mut self, envelope: &Envelope, _: &Report) {
            let _ = self.gate.recv();
            self.seen.lock().unwrap().push(match &envelope.event {
                Event::StepOutput { line, .. } => line.clone(),
                Event::Progress { message } => message.clone(),
                _ => "end".to_owned(),
            });
        }
    }

    fn queued(event: Event) -> QueuedEvent {
        let image = Some(ImageKey::new("web"));
        Envelope { v: EVENT_VERSION, at: Timestamp::UNIX_EPOCH, elapsed: Duration::ZERO, image, event }.into()
    }

    fn line(line: &str) -> QueuedEvent {
        queued(Event::StepOutput { phase: Phase::Build, index: 0, stream: Stream::Stdout, line: line.to_owned() })
    }

    #[tokio::test]
    async fn a_cancelled_run_waits_neither_for_a_stalled_reader_nor_for_queued_output() {
        let (open, gate) = mpsc::channel();
        let seen = Arc::default();
        let cancel = CancellationToken::new();
        let (sender, display) = Display::start(Box::new(Gated { gate, seen: Arc::clone(&seen) }), cancel.clone());
        for number in 0..1000 {
            sender.send(line(&number.to_string())).unwrap();
        }
        sender.send(queued(Event::RunFinished { exit_code: 130, report: None })).unwrap();
        open.send(()).unwrap();
        ami_bake_testkit::wait::until_true("nothing was shown", || seen.lock().unwrap().len() == 1);
        cancel.cancel();
        // The reader stalls at the second line.
        display.finish().await;
        assert_eq!(*seen.lock().unwrap(), ["0"]);
        // The reader continues: queued output was dropped, and the end is shown.
        drop(open);
        ami_bake_testkit::wait::until_true("the end is not shown", || seen.lock().unwrap().len() == 4);
        let note = "Left out 998 lines of output that were not shown yet";
        assert_eq!(*seen.lock().unwrap(), ["0", "1", note, "end"]);
    }
}
