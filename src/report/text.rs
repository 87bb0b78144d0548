//! Formats events as log lines.

use std::time::Duration;

use ami_bake_core::delivery::Delivery;
use ami_bake_core::duration::human;
use ami_bake_core::event::{Decision, Envelope, Event, Stage, StepOutcome};
use ami_bake_core::plan::Phase;
use ami_bake_core::platform::ImageRecord;
use ami_bake_core::report::{ImageReport, PackageChanges, Report, Status};
use ami_bake_core::rollout::{Rollout, RolloutOutcome};

use crate::ui::Paint;

/// Renders events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lines {
    /// Whether to use colors.
    pub(crate) paint: Paint,
    /// True when progress lines show the current action, so that only results are logged.
    pub(crate) live: bool,
}

impl Lines {
    /// The log line for an event, without its line feed; `None` for events that are not logged.
    pub(crate) fn line(self, envelope: &Envelope, report: &Report) -> Option<String> {
        if let Event::RunStarted { run, namespace, platform, region, images } = &envelope.event {
            let region = region.as_deref().map(|region| format!(" in {region}")).unwrap_or_default();
            let images: Vec<String> = images.iter().map(ToString::to_string).collect();
            let run = self.paint.dim(&format!("(run {run})")).to_string();
            return Some(format!("{} on {platform}{region}: {} {run}", self.paint.bold(namespace), images.join(", ")));
        }
        let image = envelope.image.as_ref().and_then(|key| report.image(key));
        let words = self.words(&envelope.event, image)?;
        let time = self.paint.dim(&clock(envelope.elapsed)).to_string();
        let widest = report.images.iter().map(|image| image.name.chars().count()).max().unwrap_or(0);
        let name = envelope.image.as_ref().map(ToString::to_string).unwrap_or_default();
        Some(format!("{time}  {:<widest$}  {words}", self.paint.bold(&name)))
    }

    fn words(self, event: &Event, image: Option<&ImageReport>) -> Option<String> {
        let paint = self.paint;
        match event {
            Event::Planned { source, version, decision, .. } => Some(match decision {
                Decision::Bake { reason } => {
                    format!("Baking {version} from {}: {reason}", named(&source.name, &source.id))
                }
                Decision::Reuse { image } => format!("Reusing {}: {version} is unchanged", image.id),
                Decision::Reregister { image } => {
                    format!("Registering {version} from {}: same content as {}", image.id, image.version)
                }
            }),
            Event::StageStarted { stage } => {
                let (begins, _) = stage_words(*stage)?;
                (!self.live).then(|| begins.to_owned())
            }
            Event::StageFinished { stage, took, failure: Some(_) } => {
                Some(format!("{} {} after {}", capitalised(stage.as_str()), paint.bad("failed"), human(*took)))
            }
            Event::StageFinished { stage, took, failure: None } => {
                let (_, done) = stage_words(*stage).filter(|(_, done)| !done.is_empty())?;
                // A stage that takes no time is only logged at its beginning.
                (*took >= Duration::from_millis(100)).then(|| format!("{done} after {}", human(*took)))
            }
            Event::StepStarted { phase, index, name, attempt } => {
                let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                Some(format!("Running {} {}: {}{again}", step_noun(*phase), index + 1, paint.bold(name)))
            }
            Event::StepOutput { phase, index, line, .. } => {
                let step = image?.steps.iter().find(|step| step.phase == *phase && step.index == *index)?;
                Some(format!("{} {line}", paint.dim(&format!("{} |", step.name))))
            }
            Event::StepFinished { phase, index, outcome, took } => {
                let step = image?.steps.iter().find(|step| step.phase == *phase && step.index == *index)?;
                let (word, why) = match outcome {
                    StepOutcome::Passed => (paint.good("passed"), String::new()),
                    StepOutcome::Retrying(failure) => (paint.odd("failed, retrying"), format!(": {}", failure.message)),
                    StepOutcome::Ignored(failure) => (paint.odd("failed (ignored)"), format!(": {}", failure.message)),
                    StepOutcome::Failed(failure) => (paint.bad("failed"), format!(": {}", failure.message)),
                };
                Some(format!("{} {word}: {} ({}){why}", capitalised(step_noun(*phase)), step.name, human(*took)))
            }
            Event::Progress { message } => Some(paint.dim(message).to_string()),
            Event::Warning { message, help, .. } => {
                Some(format!("{} {}", paint.odd("warning:"), with_help(message, help.as_deref())))
            }
            Event::MachineStarted { id, kind, place, phase } => {
                Some(format!("Launched {id} for {} ({kind}, {place})", phase.as_str()))
            }
            Event::MachineEnded { id, ran, .. } => Some(format!("Terminated {id} after {}", human(*ran))),
            Event::Packages { before, after } => packages(&PackageChanges::between(before, after)),
            Event::Published { delivery } => Some(self.delivery(delivery)),
            Event::Deployed { rollout } => Some(self.rollout(rollout)),
            Event::Retired { image } => Some(format!("Deleted old version {}: {}", image.version, located(image))),
            Event::Held { image, why } => {
                Some(format!("Kept old version {}: {}: {why}", image.version, located(image)))
            }
            Event::Kept { what, hint } => Some(format!("Kept {what}: {hint}")),
            Event::Orphaned { what, why } => Some(format!("{} {what}: {why}", paint.odd("Left behind"))),
            Event::ImageFinished { .. } => image.map(|image| self.end(image)),
            Event::RunStarted { .. } | Event::Registered { .. } | Event::RunFinished { .. } => None,
        }
    }

    /// The result of publishing to one region.
    fn delivery(self, delivery: &Delivery) -> String {
        let Delivery { region: name, account, image, done, failure } = delivery;
        let region = region(Some(name), account.as_deref());
        let id = image.as_deref().unwrap_or_default();
        let done = if done.is_empty() { String::new() } else { format!(": {}", done.join(", ")) };
        match failure {
            None if done.is_empty() => format!("Already published {id} to {region}"),
            None => format!("Published {id} to {region}{done}"),
            Some(failure) => {
                let why = std::iter::once(&failure.message).chain(&failure.causes).map(String::as_str);
                let why = why.collect::<Vec<_>>().join(": ");
                let id = if id.is_empty() { String::new() } else { format!(" ({id}{done})") };
                format!("Publishing to {region} {}{id}: {why}", self.paint.bad("failed"))
            }
        }
    }

    /// The result of a deployment. A skipped one is logged, too, so that nobody thinks it was made.
    fn rollout(self, rollout: &Rollout) -> String {
        let target = rollout.place();
        let version = rollout.version.map(|version| format!(", template version {version}")).unwrap_or_default();
        let group = rollout.group.as_ref().map(|group| format!(", {group} in service")).unwrap_or_default();
        let done = if rollout.done.is_empty() { String::new() } else { format!(": {}", rollout.done.join(", ")) };
        match rollout.outcome {
            RolloutOutcome::Deployed => format!("{} to {target}{version}{group}{done}", self.paint.good("Deployed")),
            RolloutOutcome::Unchanged => format!("Already deployed to {target}{version}"),
            RolloutOutcome::Skipped => format!("{} deployment to {target}", self.paint.odd("Skipped")),
            outcome => {
                let causes = rollout.failure.iter().flat_map(|failure| &failure.causes);
                let why: Vec<&str> = causes.map(|cause| cause.trim_end_matches('.')).collect();
                let why = if why.is_empty() { String::new() } else { format!(": {}", why.join(": ")) };
                let done =
                    if rollout.done.is_empty() { String::new() } else { format!(" ({})", rollout.done.join(", ")) };
                format!("Deployment to {target} {}{why}{done}", self.paint.bad(outcome_words(outcome)))
            }
        }
    }

    fn end(self, image: &ImageReport) -> String {
        let id = image.image.as_ref().map(|image| format!(": {}", image.id)).unwrap_or_default();
        let took = human(image.took);
        let word = capitalised(image.status.as_str());
        // The line of a failed step has the message already.
        let is_known = |message: &str| {
            image.steps.iter().filter_map(|step| step.failure.as_ref()).any(|failure| failure.message == message)
        };
        let why = || match &image.failure {
            Some(failure) if !is_known(&failure.message) => format!(": {}", failure.message),
            _ => String::new(),
        };
        match image.status {
            status if status.is_good() => format!("{} after {took}{id}", self.paint.good(&word)),
            Status::Failed => format!("{} after {took}{}", self.paint.bad(&word), why()),
            Status::Skipped => format!("{}{}", self.paint.odd(&word), why()),
            _ => format!("{} after {took}", self.paint.odd(&word)),
        }
    }
}

/// Formats the time since the run began: seconds with one decimal below a minute, then minutes and seconds.
fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, _) => format!("{:>7.1}s", elapsed.as_secs_f64()),
        (0, minutes, seconds) => format!("{minutes:>3}m {seconds:02}s"),
        (hours, minutes, _) => format!("{hours:>3}h {minutes:02}m"),
    }
}

/// An image and its region.
fn located(image: &ImageRecord) -> String {
    let region = region(image.region.as_deref(), image.account.as_deref());
    if region.is_empty() { image.id.clone() } else { format!("{} in {region}", image.id) }
}

/// A region, with the account when it is not the bake's own.
pub(crate) fn region(region: Option<&str>, account: Option<&str>) -> String {
    match (region, account) {
        (Some(region), Some(account)) => format!("{region} of {account}"),
        (Some(region), None) => region.to_owned(),
        (None, _) => String::new(),
    }
}

/// The log messages for the beginning and end of a stage. Stages that consist of steps have none, since their steps are
/// logged. The end of a launch is logged with the machine.
fn stage_words(stage: Stage) -> Option<(&'static str, &'static str)> {
    Some(match stage {
        Stage::Source | Stage::Build | Stage::Validate => return None,
        Stage::Launch => ("Launching a machine", ""),
        Stage::Connect => ("Connecting", "Connected"),
        Stage::Seal => ("Sealing", "Sealed"),
        Stage::Capture => ("Capturing", "Captured"),
        Stage::Test => ("Testing", "Tested"),
        Stage::Publish => ("Publishing", "Published"),
        Stage::Deploy => ("Deploying", "Deployed"),
    })
}

/// The word for a step of this phase.
pub(crate) fn step_noun(phase: Phase) -> &'static str {
    match phase {
        Phase::Build => "build step",
        Phase::Validate => "validation",
        Phase::Test => "test",
    }
}

/// A failed deployment, in words.
fn outcome_words(outcome: RolloutOutcome) -> &'static str {
    match outcome {
        RolloutOutcome::RolledBack => "rolled back",
        RolloutOutcome::RollingBack => "rolling back",
        RolloutOutcome::RollbackFailed => "rollback failed",
        outcome => outcome.as_str(),
    }
}

fn capitalised(text: &str) -> String {
    let (first, rest) = text.split_at(text.ceil_char_boundary(1));
    format!("{}{rest}", first.to_uppercase())
}

fn named(name: &str, id: &str) -> String {
    if name.is_empty() || name == id { id.to_owned() } else { format!("{name} ({id})") }
}

/// A message with its help.
pub(super) fn with_help(text: &str, help: Option<&str>) -> String {
    let text = text.trim_end_matches('.');
    help.map_or_else(|| text.to_owned(), |help| format!("{text}. {help}"))
}

fn packages(changes: &PackageChanges) -> Option<String> {
    let parts: Vec<String> =
        [(changes.added.len(), "added"), (changes.removed.len(), "removed"), (changes.changed.len(), "changed")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
    (!parts.is_empty()).then(|| format!("Packages: {}", parts.join(", ")))
}
