//! Shows a run to people: log lines, progress lines on a terminal, and the result at the end.

use std::collections::HashMap;
use std::time::Duration;

use ami_bake_core::event::{Envelope, Event};
use ami_bake_core::plan::ImageKey;
use ami_bake_core::report::Report;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::json::JsonLines;
use super::quiet::Quiet;
use super::reporter::{Explain, Reporter, Show};
use super::summary;
use super::text::Lines;
use crate::out::Out;
use crate::ui::Ui;

/// Interval for redrawing progress lines.
const TICK: Duration = Duration::from_millis(120);

/// The reporter of a terminal or a log with these streams. On a terminal, images in progress get a line of `progress`.
pub(crate) fn reporter(show: Show, ui: Ui, out: Out, err: Out, progress: MultiProgress) -> Box<dyn Reporter> {
    match show {
        Show::All(explain) => Box::new(Terminal::new(ui, explain, out, err, progress)),
        Show::Events => Box::new(JsonLines { out }),
        Show::Warnings => Box::new(Quiet { err, paint: ui.paint }),
    }
}

/// Shows a run on a terminal or in a log.
struct Terminal {
    ui: Ui,
    lines: Lines,
    explain: Explain,
    progress: Option<ProgressLines>,
    out: Out,
    err: Out,
}

impl Terminal {
    /// Writes the log to `err` and the table of images to `out`.
    fn new(ui: Ui, explain: Explain, out: Out, err: Out, progress: MultiProgress) -> Self {
        let progress = ui.live.then(|| ProgressLines::new(progress, err.clone()));
        Self { ui, lines: Lines { paint: ui.paint, live: ui.live }, explain, progress, out, err }
    }

    fn line(&mut self, line: &str) {
        match &self.progress {
            // A terminal that is gone must not end the bake.
            Some(progress) => _ = progress.all.println(self.err.render(line)),
            None => _ = self.err.text(&format!("{line}\n")),
        }
    }
}

impl Reporter for Terminal {
    fn on_event(&mut self, envelope: &Envelope, report: &Report) {
        if let Some(line) = self.lines.line(envelope, report) {
            self.line(&line);
        }
        if let Some(progress) = &mut self.progress {
            progress.on_event(envelope);
        }
        if matches!(envelope.event, Event::RunFinished { .. }) {
            if let Some(progress) = self.progress.take() {
                let _ = progress.all.clear();
            }
            let problems = summary::problems(report, &self.explain, self.ui.paint);
            self.err.text(&format!("{problems}\n"));
            self.out.text(&summary::images(report, self.ui.paint_data));
            self.err.text(&summary::tags(report, self.ui.paint));
            self.err.text(&summary::last_line(report, &envelope.event, self.ui.paint));
        }
    }
}

/// One progress line for each image in progress. indicatif draws them on standard error itself.
struct ProgressLines {
    all: MultiProgress,
    bars: HashMap<ImageKey, ProgressBar>,
    err: Out,
}

impl ProgressLines {
    fn new(all: MultiProgress, err: Out) -> Self {
        Self { all, bars: HashMap::new(), err }
    }

    fn on_event(&mut self, envelope: &Envelope) {
        let Some(key) = &envelope.image else { return };
        match &envelope.event {
            Event::StageStarted { stage } => self.show(key, stage.as_str()),
            Event::StepStarted { phase, index, name, .. } => {
                self.show(key, &format!("{} {}: {name}", phase.as_str(), index + 1));
            }
            Event::Progress { message } => {
                if let Some(bar) = self.bars.get(key) {
                    bar.set_message(self.err.render(message));
                }
            }
            Event::ImageFinished { .. } => {
                if let Some(bar) = self.bars.remove(key) {
                    bar.finish_and_clear();
                }
            }
            _ => {}
        }
    }

    /// Shows the current action for an image, and restarts its timer.
    fn show(&mut self, key: &ImageKey, doing: &str) {
        let bar = self.bars.entry(key.clone()).or_insert_with(|| {
            let bar = self.all.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:.bold}  {wide_msg} {elapsed:.dim}") {
                bar.set_style(style);
            }
            bar.set_prefix(self.err.render(&key.to_string()));
            bar.enable_steady_tick(TICK);
            bar
        });
        bar.reset_elapsed();
        bar.set_message(self.err.render(doing));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use ami_bake_core::Error;
    use ami_bake_core::event::{EVENT_VERSION, Failure, Stage, StepOutcome};
    use ami_bake_core::output::Stream;
    use ami_bake_core::plan::Phase;
    use insta::assert_snapshot;
    use jiff::Timestamp;

    use super::*;
    use crate::error;
    use crate::out::Cleaner;
    use crate::ui::Paint;

    /// Shows events ten seconds apart, and returns what was on the screen.
    fn shown(paint: Paint, events: Vec<(Option<&str>, Event)>) -> String {
        // Both streams, in the order of writing.
        let screen: Arc<Mutex<Vec<u8>>> = Arc::default();
        let cleaner = Cleaner { masker: Arc::default(), rule: None };
        let stream = Out::screen(cleaner, paint.on, &screen);
        let ui = Ui { paint, paint_data: paint, live: false };
        let explain: Explain = Box::new(move |failure| error::failure(failure, None, paint));
        let mut terminal = Terminal::new(ui, explain, stream.clone(), stream, MultiProgress::default());
        let mut report = Report::default();
        for (second, (image, event)) in (0..).zip(events) {
            let elapsed = Duration::from_secs(second * 10);
            let image = image.map(ImageKey::new);
            let envelope = Envelope { v: EVENT_VERSION, at: Timestamp::UNIX_EPOCH, elapsed, image, event };
            report.apply(&envelope);
            terminal.on_event(&envelope, &report);
        }
        let bytes = screen.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn a_failing_run() -> Vec<(Option<&'static str>, Event)> {
        let failure = Failure::from(
            &Error::build("step `Install nginx` exited with status 100")
                .because(std::io::Error::other("E: Unable to locate package nginks"))
                .help("Look at the step's output."),
        );
        let phase = Phase::Build;
        let base = Some("base");
        vec![
            (
                None,
                Event::RunStarted {
                    run: "0192".into(),
                    namespace: "shop".into(),
                    platform: "aws".into(),
                    region: Some("us-east-1".into()),
                    images: vec![ImageKey::new("base"), ImageKey::new("web-arm64")],
                },
            ),
            (base, Event::StageStarted { stage: Stage::Launch }),
            (
                base,
                Event::MachineStarted {
                    id: "i-0abc".into(),
                    kind: "t3.small".into(),
                    place: "us-east-1a at 198.51.100.7".into(),
                    phase,
                },
            ),
            (base, Event::StageFinished { stage: Stage::Launch, took: Duration::from_millis(2900), failure: None }),
            (base, Event::StageStarted { stage: Stage::Build }),
            (base, Event::StepStarted { phase, index: 0, name: "Install nginx".into(), attempt: 2 }),
            (
                base,
                Event::StepOutput {
                    phase,
                    index: 0,
                    stream: Stream::Stderr,
                    line: "E: Unable to locate package nginks".into(),
                },
            ),
            (
                base,
                Event::StepFinished {
                    phase,
                    index: 0,
                    outcome: StepOutcome::Failed(failure.clone()),
                    took: Duration::from_secs(4),
                },
            ),
            (
                base,
                Event::StageFinished {
                    stage: Stage::Build,
                    took: Duration::from_secs(5),
                    failure: Some(failure.clone()),
                },
            ),
            (base, Event::ImageFinished { image: None, reused: false, failure: Some(failure), skipped: false }),
            (Some("web-arm64"), Event::ImageFinished { image: None, reused: false, failure: None, skipped: true }),
            (None, Event::Orphaned { what: "security group sg-1".into(), why: "the machine still uses it".into() }),
            (None, Event::RunFinished { exit_code: 5, report: Some("bake-report.json".into()) }),
        ]
    }

    #[test]
    fn a_failed_run_in_a_log() {
        assert_snapshot!(shown(Paint { on: false }, a_failing_run()), @r"
        shop on aws in us-east-1: base, web-arm64 (run 0192)
           10.0s  base       Launching a machine
           20.0s  base       Launched i-0abc for build (t3.small, us-east-1a at 198.51.100.7)
           50.0s  base       Running build step 1: Install nginx (attempt 2)
          1m 00s  base       Install nginx | E: Unable to locate package nginks
          1m 10s  base       Build step failed: Install nginx (4s): step `Install nginx` exited with status 100
          1m 20s  base       Build failed after 5s
          1m 30s  base       Failed after 1m 20s
          1m 40s  web-arm64  Skipped
          1m 50s             Left behind security group sg-1: the machine still uses it

        error: step `Install nginx` exited with status 100
        Caused by: E: Unable to locate package nginks
        help: Look at the step's output.

        Last lines of Install nginx (base):
          | E: Unable to locate package nginks

        left behind: security group sg-1
          the machine still uses it
        help: run `ami-bake sweep --yes` to delete what is left.

        image      result   time
        base       failed   1m 20s
        web-arm64  skipped  0s
        Failed after 2m: 1 of 2 images failed, 1 skipped (exit code 5), report in bake-report.json
        ");
    }

    /// Without colors there is no escape sequence, and with colors at least one.
    #[test]
    fn colours_are_only_where_they_are_wanted() {
        assert!(!shown(Paint { on: false }, a_failing_run()).contains('\u{1b}'));
        assert!(shown(Paint { on: true }, a_failing_run()).contains("\u{1b}["));
    }
}
