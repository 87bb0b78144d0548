//! Shows a run in the log of an action: a group for each step, annotations for problems, outputs as they become known.

use std::collections::HashMap;
use std::sync::Arc;

use ami_bake_core::event::{Envelope, Event};
use ami_bake_core::plan::{ImageKey, Phase};
use ami_bake_core::report::Report;
use ami_bake_github::runner::{Annotation, Level};

use super::action::Action;
use super::inputs::with_inputs;
use super::{annotate, outputs};
use crate::report::text::Lines;
use crate::report::{Explain, Reporter, summary};
use crate::ui::Paint;

/// Maximum bytes of a step's output that are held back until its group is written: several images print at once, and
/// groups can't be nested.
const HELD: usize = 256 << 10;
const PLAIN: Paint = Paint { on: false };

/// A step of an image.
type StepKey = (ImageKey, Phase, usize);

/// The reporter for the log of an action.
pub(super) struct ActionLog {
    action: Arc<Action>,
    /// Formats failures at the end; without it only warnings are shown.
    explain: Option<Explain>,
    lines: Lines,
    held: HashMap<StepKey, Held>,
}

/// Output held back until its step ends.
#[derive(Default)]
struct Held {
    title: String,
    lines: Vec<String>,
    size: usize,
}

impl ActionLog {
    /// Shows everything with `explain`, else only warnings.
    pub(super) fn new(action: Arc<Action>, explain: Option<Explain>) -> Self {
        Self { action, explain, lines: Lines { paint: PLAIN, live: false }, held: HashMap::new() }
    }

    fn print(&mut self, step: StepKey, line: String) {
        let held = self.held.entry(step).or_default();
        // Includes the list's own overhead, since a flood of short lines is a flood, too.
        held.size += line.len() + size_of::<String>();
        held.lines.push(line);
        if held.size > HELD {
            let title = format!("{} (more follows)", held.title);
            write(&self.action, &title, &std::mem::take(&mut held.lines));
            held.size = 0;
        }
    }

    fn unfold(&mut self, step: &StepKey) {
        if let Some(held) = self.held.remove(step) {
            write(&self.action, &held.title, &held.lines);
        }
    }

    fn set_outputs(&self, report: &Report) {
        for (name, value) in outputs::known(report) {
            self.action.output(name, &value);
        }
    }

    fn log(&mut self, envelope: &Envelope, report: &Report, explain: &Explain) {
        let action = Arc::clone(&self.action);
        let log = &action.log;
        let alone = report.images.len() == 1;
        let line = self.lines.line(envelope, report);
        let key = |phase: Phase, index: usize| envelope.image.clone().map(|image| (image, phase, index));
        match &envelope.event {
            Event::StepStarted { phase, index, name, .. } => {
                let image = envelope.image.as_ref().map(ToString::to_string).unwrap_or_default();
                let title = format!("{image} {} {}: {name}", phase.as_str(), index + 1);
                if alone {
                    log.group(&title);
                } else if let Some(key) = key(*phase, *index) {
                    if let Some(line) = &line {
                        log.say(line);
                    }
                    self.held.insert(key, Held { title, ..Held::default() });
                }
            }
            Event::StepOutput { phase, index, line, .. } => {
                let step = envelope.image.as_ref().and_then(|key| report.image(key));
                let step =
                    step.and_then(|image| image.steps.iter().find(|step| step.phase == *phase && step.index == *index));
                let line = format!("{} | {line}", step.map(|step| step.name.as_str()).unwrap_or_default());
                match key(*phase, *index) {
                    Some(key) if !alone => self.print(key, line),
                    _ => log.untrusted(&line),
                }
            }
            Event::StepFinished { phase, index, .. } => {
                log.end_group();
                if let Some(key) = key(*phase, *index) {
                    self.unfold(&key);
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
                let shown = if action.plain { failure.clone() } else { with_inputs(failure) };
                log.annotate(&annotate::of_failure(&image, &shown, action.manifest()));
            }
            Event::RunFinished { .. } => {
                log.end_group();
                let held: Vec<StepKey> = self.held.keys().cloned().collect();
                for key in &held {
                    self.unfold(key);
                }
                let mut text = summary::problems(report, explain, PLAIN);
                text.push('\n');
                text.push_str(&summary::images(report, PLAIN));
                text.push_str(&summary::tags(report, PLAIN));
                text.push_str(&summary::last_line(report, &envelope.event, PLAIN));
                log.say(&text);
            }
            // Shown as an annotation instead.
            Event::Warning { .. } => {}
            _ => line.iter().for_each(|line| log.say(line)),
        }
    }
}

impl Reporter for ActionLog {
    fn on_event(&mut self, envelope: &Envelope, report: &Report) {
        let annotation = match &envelope.event {
            Event::Warning { message, help, place } => {
                Some(annotate::of_warning(message, help.as_deref(), place.as_ref()))
            }
            Event::Orphaned { what, why } => {
                Some(Annotation::new(Level::Warning, "left behind", format!("{what}: {why}")))
            }
            Event::Kept { what, hint } => Some(Annotation::new(Level::Notice, "kept", format!("{what}: {hint}"))),
            _ => None,
        };
        if let Some(annotation) = annotation {
            self.action.log.annotate(&annotation);
        }
        if let Some(explain) = self.explain.take() {
            self.log(envelope, report, &explain);
            self.explain = Some(explain);
            match &envelope.event {
                Event::Planned { .. }
                | Event::Deployed { .. }
                | Event::Registered { .. }
                | Event::Published { .. }
                | Event::ImageFinished { .. } => {
                    self.set_outputs(report);
                }
                Event::RunFinished { report: file, .. } => {
                    self.set_outputs(report);
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
