//! The output of a step: emitted as events line by line, and written to a log file in full.

use std::time::Duration;

use async_trait::async_trait;

use crate::event::Event;
use crate::output::{Live, LiveOutput, OutputSink, StepLog, Stream};
use crate::plan::Phase;
use crate::run::Run;

/// Maximum wait for a slow reader of the events. A reader that stalls must not hold up a bake.
const PATIENCE: Duration = Duration::from_secs(5);

/// The output sink of one attempt of a step.
pub(super) struct StepOutput {
    live: Live<StepEvents>,
    run: Run,
    log: Option<StepLog>,
}

impl StepOutput {
    /// Begins the output of an attempt.
    pub(super) fn new(run: &Run, phase: Phase, index: usize, attempt: u32) -> Self {
        let log = run.logs().map(|folder| {
            let image = run.image().map(ToString::to_string).unwrap_or_default();
            let again = if attempt > 1 { format!("-attempt-{attempt}") } else { String::new() };
            folder.begin(&format!("{image}-{}-{}{again}.log", phase.as_str(), index + 1), run.masker())
        });
        let advice = log.is_none().then_some("--log-dir keeps all of it in files");
        let events = StepEvents { run: run.clone(), phase, index };
        Self { live: Live::new(events, run.clock_handle(), run.masker(), advice), run: run.clone(), log }
    }

    /// Emits the last line even without a line end, and closes the log.
    pub(super) fn finish(mut self) {
        self.live.finish();
        if let Some(Err(error)) = self.log.map(StepLog::finish) {
            let causes = error.causes().into_iter().map(|cause| format!(": {cause}"));
            let help = error.help_text().map(str::to_owned);
            self.run.warn(format!("{}{}", error.message(), causes.collect::<String>()), help);
        }
    }
}

#[async_trait]
impl OutputSink for StepOutput {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        if let Some(log) = &mut self.log {
            log.write(stream, bytes);
        }
        self.live.write(stream, bytes);
    }

    async fn ready(&mut self) {
        self.live.ready().await;
    }
}

/// Emits the lines of a step as events.
struct StepEvents {
    run: Run,
    phase: Phase,
    index: usize,
}

#[async_trait]
impl LiveOutput for StepEvents {
    fn show(&mut self, stream: Stream, line: String, forced: bool) -> bool {
        let event = Event::StepOutput { phase: self.phase, index: self.index, stream, line };
        if forced {
            self.run.emit(event);
            true
        } else {
            self.run.offer(event)
        }
    }

    async fn room(&mut self) -> bool {
        tokio::select! {
            biased;
            () = self.run.events().room() => true,
            () = self.run.clock().sleep(PATIENCE) => false,
        }
    }
}
