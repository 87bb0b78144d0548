//! A run in the log of a step: a fold for each step, annotations for what went wrong, outputs as they become known.

use std::collections::HashMap;

use ami_bake_core::event::{Envelope, Event};
use ami_bake_core::plan::{ImageKey, Phase};
use ami_bake_core::report::Report;
use ami_bake_github::runner::{Annotation, Level};

use super::Action;
use crate::report::{Explain, Lines, Quiet, Reporter, summary};
use crate::ui::{Paint, Ui};

/// The reporter of an action: of everything with `explain`, else of warnings.
pub(crate) fn reporter(explain: Option<Explain>, ui: Ui) -> Box<dyn Reporter> {
    match (super::current(), explain) {
        (Some(action), Some(explain)) => Box::new(ActionLog::new(action, explain)),
        (Some(action), None) => Box::new(ActionLog::warnings(action)),
        // Asked for on a command line, which it is not.
        (None, _) => Box::new(Quiet::new(ui)),
    }
}

/// As much of a step's output as is held back until its fold is written: several images print at once, and folds don't
/// nest.
const HELD: usize = 256 << 10;
const PLAIN: Paint = Paint { on: false };

/// Which step of which image.
type Of = (ImageKey, Phase, usize);

/// Writes a step's log.
pub(crate) struct ActionLog {
    action: &'static Action,
    /// How failures are told at the end; without it warnings alone are told.
    explain: Option<Explain>,
    lines: Lines,
    held: HashMap<Of, Held>,
}

/// Output that waits for its step's end.
#[derive(Default)]
struct Held {
    title: String,
    lines: Vec<String>,
    size: usize,
}

impl ActionLog {
    /// Everything, for people.
    pub(crate) fn new(action: &'static Action, explain: Explain) -> Self {
        Self { explain: Some(explain), ..Self::warnings(action) }
    }

    /// Warnings alone.
    pub(crate) fn warnings(action: &'static Action) -> Self {
        Self { action, explain: None, lines: Lines { paint: PLAIN, live: false }, held: HashMap::new() }
    }

    fn print(&mut self, of: Of, line: String) {
        let held = self.held.entry(of).or_default();
        held.size += line.len();
        held.lines.push(line);
        if held.size > HELD {
            let title = format!("{} (more follows)", held.title);
            write(self.action, &title, &std::mem::take(&mut held.lines));
            held.size = 0;
        }
    }

    fn unfold(&mut self, of: &Of) {
        if let Some(held) = self.held.remove(of) {
            write(self.action, &held.title, &held.lines);
        }
    }

    fn emit(&mut self, envelope: &Envelope, report: &Report, explain: &Explain) {
        let log = &self.action.log;
        let alone = report.images.len() == 1;
        let line = self.lines.line(envelope, report);
        let of = |phase: Phase, index: usize| envelope.image.clone().map(|image| (image, phase, index));
        match &envelope.event {
            Event::StepStarted { phase, index, name, .. } => {
                let image = envelope.image.as_ref().map(ToString::to_string).unwrap_or_default();
                let title = format!("{image} {} {}: {name}", phase.as_str(), index + 1);
                if alone {
                    log.group(&title);
                } else if let Some(of) = of(*phase, *index) {
                    if let Some(line) = &line {
                        log.say(line);
                    }
                    self.held.insert(of, Held { title, ..Held::default() });
                }
            }
            Event::StepOutput { phase, index, line, .. } => {
                let step = envelope.image.as_ref().and_then(|key| report.image(key));
                let step =
                    step.and_then(|image| image.steps.iter().find(|step| step.phase == *phase && step.index == *index));
                let line = format!("{} | {line}", step.map(|step| step.name.as_str()).unwrap_or_default());
                match of(*phase, *index) {
                    Some(of) if !alone => self.print(of, line),
                    _ => log.untrusted(&line),
                }
            }
            Event::StepFinished { phase, index, .. } => {
                log.end_group();
                if let Some(of) = of(*phase, *index) {
                    self.unfold(&of);
                }
                if let Some(line) = &line {
                    log.say(line);
                }
            }
            Event::ImageFinished { failure: Some(failure), skipped: false, .. } => {
                if let Some(line) = &line {
                    log.say(line);
                }
                let image = envelope.image.as_ref().map(ToString::to_string).unwrap_or_default();
                self.action.failure(&image, failure);
            }
            Event::RunFinished { .. } => {
                log.end_group();
                let held: Vec<Of> = self.held.keys().cloned().collect();
                for of in &held {
                    self.unfold(of);
                }
                let mut text = summary::problems(report, explain, PLAIN);
                text.push('\n');
                text.push_str(&summary::images(report, PLAIN));
                text.push_str(&summary::tags(report, PLAIN));
                text.push_str(&summary::last_line(report, &envelope.event, PLAIN));
                self.action.log.say(&text);
            }
            // Annotated instead.
            Event::Warning { .. } => {}
            _ => line.iter().for_each(|line| log.say(line)),
        }
    }
}

impl Reporter for ActionLog {
    fn on_event(&mut self, envelope: &Envelope, report: &Report) {
        let annotate =
            |level, title: &str, message: String| self.action.log.annotate(&Annotation::new(level, title, message));
        match &envelope.event {
            Event::Warning { message, help, place } => self.action.warning(message, help.as_deref(), place.as_ref()),
            Event::Left { what, why } => annotate(Level::Warning, "left behind", format!("{what}: {why}")),
            Event::Kept { what, hint } => annotate(Level::Notice, "kept", format!("{what}: {hint}")),
            _ => {}
        }
        if let Some(explain) = self.explain.take() {
            self.emit(envelope, report, &explain);
            self.explain = Some(explain);
            match &envelope.event {
                Event::Planned { .. }
                | Event::Deployed { .. }
                | Event::Registered { .. }
                | Event::Published { .. }
                | Event::ImageFinished { .. } => {
                    self.action.outputs(report);
                }
                Event::RunFinished { report: file, .. } => {
                    self.action.outputs(report);
                    if let Some(file) = file {
                        self.action.report_output(file);
                    }
                }
                _ => {}
            }
        }
    }
}

fn write(action: &Action, title: &str, lines: &[String]) {
    if !lines.is_empty() {
        action.log.group(title);
        for line in lines {
            action.log.untrusted(line);
        }
        action.log.end_group();
    }
}
