//! A run for people: lines as things happen, moving lines where there is a terminal, the result at the end.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use ami_bake_core::event::{Envelope, Event};
use ami_bake_core::plan::ImageKey;
use ami_bake_core::report::Report;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::text::Lines;
use super::{Explain, Reporter, summary};
use crate::ui::Ui;

/// How often a moving line is redrawn.
const TICK: Duration = Duration::from_millis(120);

/// Shows a run on a terminal or in a log.
pub(crate) struct Terminal {
    ui: Ui,
    lines: Lines,
    explain: Explain,
    moving: Option<Moving>,
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
}

impl Terminal {
    /// Writes what happens to standard error and the table of images to standard output.
    pub(crate) fn new(ui: Ui, explain: Explain) -> Self {
        Self::to(ui, explain, Box::new(std::io::stdout()), Box::new(std::io::stderr()))
    }

    fn to(ui: Ui, explain: Explain, out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        let moving = ui.live.then(Moving::default);
        Self { ui, lines: Lines { paint: ui.paint, live: ui.live }, explain, moving, out, err }
    }

    fn line(&mut self, line: &str) {
        match &self.moving {
            // A terminal that went away does not end the bake.
            Some(moving) => _ = moving.all.println(line),
            None => _ = writeln!(self.err, "{line}"),
        }
    }
}

impl Reporter for Terminal {
    fn on_event(&mut self, envelope: &Envelope, report: &Report) {
        if let Some(line) = self.lines.line(envelope, report) {
            self.line(&line);
        }
        if let Some(moving) = &mut self.moving {
            moving.on_event(envelope);
        }
        if matches!(envelope.event, Event::RunFinished { .. }) {
            if let Some(moving) = self.moving.take() {
                let _ = moving.all.clear();
            }
            let problems = summary::problems(report, &self.explain, self.ui.paint);
            let _ = writeln!(self.err, "{problems}");
            let _ = self.out.write_all(summary::images(report, self.ui.paint_data).as_bytes());
            let _ = self.out.flush();
            let _ = self.err.write_all(summary::last_line(report, &envelope.event, self.ui.paint).as_bytes());
        }
    }
}

/// One moving line for each image that is under way.
#[derive(Default)]
struct Moving {
    all: MultiProgress,
    bars: HashMap<ImageKey, ProgressBar>,
}

impl Moving {
    fn on_event(&mut self, envelope: &Envelope) {
        let Some(key) = &envelope.image else { return };
        match &envelope.event {
            Event::StageStarted { stage } => self.show(key, stage.as_str()),
            Event::StepStarted { phase, index, name, .. } => {
                self.show(key, &format!("{} {}: {name}", phase.as_str(), index + 1));
            }
            Event::Progress { message } => {
                if let Some(bar) = self.bars.get(key) {
                    bar.set_message(message.clone());
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

    /// Shows what an image is at; its time begins anew.
    fn show(&mut self, key: &ImageKey, doing: &str) {
        let bar = self.bars.entry(key.clone()).or_insert_with(|| {
            let bar = self.all.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:.bold}  {wide_msg} {elapsed:.dim}") {
                bar.set_style(style);
            }
            bar.set_prefix(key.to_string());
            bar.enable_steady_tick(TICK);
            bar
        });
        bar.reset_elapsed();
        bar.set_message(doing.to_owned());
    }
}
