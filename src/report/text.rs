//! One event as one line for people.

use std::time::Duration;

use ami_bake_core::delivery::Delivery;
use ami_bake_core::duration::human;
use ami_bake_core::event::{Decision, Envelope, Event, Failure, Stage, StepOutcome};
use ami_bake_core::platform::ImageRecord;
use ami_bake_core::report::{ImageReport, PackageChanges, Report, Status};
use ami_bake_core::rollout::{Outcome, Rollout};

use crate::ui::Paint;

/// Words for events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lines {
    /// Colours.
    pub(crate) paint: Paint,
    /// True where a moving line shows what is being done, so that only ends are worth a line.
    pub(crate) live: bool,
}

impl Lines {
    /// The line of an event, without its end; none for an event that says nothing to people.
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
                Decision::Bake { reason } => format!("{version} from {}: {reason}", named(&source.name, &source.id)),
                Decision::Reuse { image } => format!("{version} is there and unchanged: {}", image.id),
                Decision::Reregister { image } => {
                    format!("{version} has the same content as {}: {} is registered again", image.version, image.id)
                }
            }),
            Event::StageStarted { stage } => (!self.live && has_no_steps(*stage)).then(|| stage.as_str().to_owned()),
            Event::StageFinished { stage, took, failure } => {
                if failure.is_some() {
                    return Some(format!("{} {} after {}", stage.as_str(), paint.bad("failed"), human(*took)));
                }
                // What took no time to speak of was seen when it began.
                let told = *took >= Duration::from_millis(100);
                (told && has_no_steps(*stage)).then(|| format!("{} took {}", stage.as_str(), human(*took)))
            }
            Event::StepStarted { phase, index, name, attempt } => {
                let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                Some(format!("{} {}: {}{again}", phase.as_str(), index + 1, paint.bold(name)))
            }
            Event::StepOutput { phase, index, line, .. } => {
                let step = image?.steps.iter().find(|step| step.phase == *phase && step.index == *index)?;
                Some(format!("{} {line}", paint.dim(&format!("{} |", step.name))))
            }
            Event::StepFinished { phase, index, outcome, took } => {
                let step = image?.steps.iter().find(|step| step.phase == *phase && step.index == *index)?;
                let (word, why) = match outcome {
                    StepOutcome::Passed => (paint.good("passed"), String::new()),
                    StepOutcome::Retrying(failure) => {
                        (paint.odd("failed"), format!(": {}, trying again", brief(failure)))
                    }
                    StepOutcome::Ignored(failure) => (paint.odd("failed"), format!(": {}, ignored", brief(failure))),
                    StepOutcome::Failed(failure) => (paint.bad("failed"), format!(": {}", brief(failure))),
                };
                Some(format!("{} {word} in {}{why}", step.name, human(*took)))
            }
            Event::Progress { message } => Some(paint.dim(message).to_string()),
            Event::Warning { message, help, .. } => {
                Some(format!("{} {}", paint.odd("warning:"), with_help(message, help.as_deref())))
            }
            Event::MachineStarted { id, kind, place, phase } => {
                Some(format!("machine {id} ({kind}) to {} on, {place}", phase.as_str()))
            }
            Event::MachineEnded { id, ran, .. } => Some(format!("machine {id} is given back after {}", human(*ran))),
            Event::Packages { before, after } => packages(&PackageChanges::between(before, after)),
            Event::Published { delivery } => Some(self.delivery(delivery)),
            Event::Deployed { rollout } => Some(self.rollout(rollout)),
            Event::Retired { image } => Some(format!("{} is no longer kept: {} is deleted", image.version, at(image))),
            Event::Held { image, why } => {
                Some(format!("{} is no longer kept, but {} stays: {why}", image.version, at(image)))
            }
            Event::Kept { what, hint } => Some(format!("kept {what}: {hint}")),
            Event::Left { what, why } => Some(format!("{} {what}: {why}", paint.odd("left behind"))),
            Event::ImageFinished { .. } => image.map(|image| self.end(image)),
            Event::RunStarted { .. } | Event::Registered { .. } | Event::RunFinished { .. } => None,
        }
    }

    /// One region of a publication: what was done there, and what was not.
    fn delivery(self, delivery: &Delivery) -> String {
        let Delivery { region, account, image, done, failure } = delivery;
        let region = place(Some(region), account.as_deref());
        let id = image.as_deref().unwrap_or_default();
        let done = if done.is_empty() { String::new() } else { format!(": {}", done.join(", ")) };
        match failure {
            None if done.is_empty() => format!("{region} has {id} as it should be"),
            None => format!("{region} has {id}{done}"),
            Some(failure) => {
                let why = std::iter::once(brief(failure)).chain(failure.causes.iter().map(String::as_str));
                let why = why.collect::<Vec<_>>().join(": ");
                let id = if id.is_empty() { String::new() } else { format!(" (it has {id}{done})") };
                format!("{region} {}{id}: {why}", self.paint.bad("failed"))
            }
        }
    }

    /// What a deployment came to. One whose `if` is false is worth a line too: nobody should think that it went.
    fn rollout(self, rollout: &Rollout) -> String {
        let place = rollout.place();
        let version = rollout.version.map(|version| format!(" on template version {version}")).unwrap_or_default();
        let group = rollout.group.as_ref().map(|group| format!(", {group} is at work")).unwrap_or_default();
        let done = rollout.done.join(", ");
        let word = rollout.outcome.as_str();
        match rollout.outcome {
            Outcome::Deployed if done.is_empty() => format!("{place} {}{version}{group}", self.paint.good(word)),
            Outcome::Deployed => format!("{place} {}{version}{group}: {done}", self.paint.good(word)),
            Outcome::Unchanged => format!("{place} is as it should be{version}"),
            Outcome::Skipped => format!("{place} {}", self.paint.odd(word)),
            _ => {
                let causes = rollout.failure.iter().flat_map(|failure| &failure.causes);
                let why: Vec<&str> = causes.map(|cause| cause.trim_end_matches('.')).collect();
                let why = if why.is_empty() { String::new() } else { format!(": {}", why.join(": ")) };
                let done = if done.is_empty() { String::new() } else { format!(" ({done})") };
                format!("{place} {}{why}{done}", self.paint.bad(word))
            }
        }
    }

    fn end(self, image: &ImageReport) -> String {
        let id = image.image.as_ref().map(|image| format!(": {}", image.id)).unwrap_or_default();
        let took = human(image.took);
        let word = image.status.as_str();
        match image.status {
            status if status.is_good() => format!("{} in {took}{id}", self.paint.good(word)),
            Status::Failed => {
                let why = image.failure.as_ref().map(|failure| format!(": {}", failure.message)).unwrap_or_default();
                format!("{} after {took}{why}", self.paint.bad(word))
            }
            Status::Skipped => {
                let why = image.failure.as_ref().map(|failure| format!(": {}", failure.message)).unwrap_or_default();
                format!("{}{why}", self.paint.odd(word))
            }
            _ => format!("{} after {took}", self.paint.odd(word)),
        }
    }
}

/// Time since the run began: seconds with a tenth below a minute, then minutes and seconds.
fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, _) => format!("{:>7.1}s", elapsed.as_secs_f64()),
        (0, minutes, seconds) => format!("{minutes:>3}m {seconds:02}s"),
        (hours, minutes, _) => format!("{hours:>3}h {minutes:02}m"),
    }
}

/// An image, and where it is.
fn at(image: &ImageRecord) -> String {
    let place = place(image.region.as_deref(), image.account.as_deref());
    if place.is_empty() { image.id.clone() } else { format!("{} in {place}", image.id) }
}

/// A region, and the account where it is another than the bake's own.
pub(crate) fn place(region: Option<&str>, account: Option<&str>) -> String {
    match (region, account) {
        (Some(region), Some(account)) => format!("{region} of {account}"),
        (Some(region), None) => region.to_owned(),
        (None, _) => String::new(),
    }
}

/// Stages of steps are seen by their steps.
fn has_no_steps(stage: Stage) -> bool {
    !matches!(stage, Stage::Source | Stage::Build | Stage::Validate)
}

fn named(name: &str, id: &str) -> String {
    if name.is_empty() || name == id { id.to_owned() } else { format!("{name} ({id})") }
}

/// A sentence, and what to do about it.
pub(super) fn with_help(text: &str, help: Option<&str>) -> String {
    let text = text.trim_end_matches('.');
    help.map_or_else(|| text.to_owned(), |help| format!("{text}. {help}"))
}

fn brief(failure: &Failure) -> &str {
    &failure.message
}

fn packages(changes: &PackageChanges) -> Option<String> {
    let parts: Vec<String> =
        [(changes.added.len(), "added"), (changes.removed.len(), "removed"), (changes.changed.len(), "changed")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
    (!parts.is_empty()).then(|| format!("packages: {}", parts.join(", ")))
}
