//! Folds events into a report.

use std::sync::Arc;
use std::time::Duration;

use super::model::{
    ImageReport, MachineReport, Notice, OrphanReport, Report, StageReport, Status, StepReport, StepResult,
};
use super::packages::{self, PackageChanges};
use crate::error::ErrorKind;
use crate::event::{Decision, Envelope, Event, StepOutcome};
use crate::image::Superseded;
use crate::plan::{ImageKey, Phase};

/// Number of last lines kept of a failed step: enough for the message and what led to it.
const LOG_LINES: usize = 60;
/// Maximum bytes of these lines. A report has them for each failed step.
const LOG_BYTES: usize = 64 << 10;

impl Report {
    /// The report of a recorded run.
    pub fn replay<'a>(envelopes: impl IntoIterator<Item = &'a Envelope>) -> Self {
        let mut report = Self::default();
        for envelope in envelopes {
            report.apply(envelope);
        }
        report
    }

    /// The image of this key, if it was announced.
    pub fn image(&self, key: &ImageKey) -> Option<&ImageReport> {
        self.images.iter().find(|image| image.key == *key)
    }

    /// Copies the installed packages of unchanged images from an earlier report: no machine ran that could have listed
    /// them, and a later report compares with them.
    pub fn inherit(&mut self, earlier: &Self) {
        for image in self.images.iter_mut().filter(|image| image.installed.is_empty() && image.digest.is_some()) {
            if let Some(there) = earlier.image(&image.key).filter(|there| there.digest == image.digest) {
                image.installed.clone_from(&there.installed);
            }
        }
    }

    /// Adds the next event.
    pub fn apply(&mut self, envelope: &Envelope) {
        self.took = self.took.max(envelope.elapsed);
        let name = envelope.image.as_ref().map(ToString::to_string);
        match &envelope.event {
            Event::RunStarted { run, namespace, platform, region, images } => {
                self.run.clone_from(run);
                self.namespace.clone_from(namespace);
                self.platform.clone_from(platform);
                self.region.clone_from(region);
                self.started = Some(envelope.at);
                self.images = images.iter().cloned().map(ImageReport::new).collect();
            }
            Event::MachineStarted { id, kind, place, phase } => self.machines.push(MachineReport {
                id: id.clone(),
                kind: kind.clone(),
                place: place.clone(),
                image: name,
                phase: *phase,
                ran: None,
                hourly: None,
            }),
            Event::MachineEnded { id, ran, hourly, .. } => {
                if let Some(machine) = self.machines.iter_mut().find(|machine| machine.id == *id) {
                    machine.ran = Some(*ran);
                    machine.hourly = *hourly;
                }
            }
            Event::Warning { message, help, .. } => {
                self.warnings.push(Notice { image: name, message: message.clone(), help: help.clone() });
            }
            Event::Kept { what, hint } => {
                self.kept.push(OrphanReport { image: name, what: what.clone(), why: hint.clone() });
            }
            Event::Orphaned { what, why } => {
                self.left.push(OrphanReport { image: name, what: what.clone(), why: why.clone() });
            }
            Event::RunFinished { exit_code, .. } => {
                self.exit_code = Some(*exit_code);
                // A cancelled run does not wait until its images finish.
                let cancelled = *exit_code == ErrorKind::Cancelled.exit_code();
                for image in self.images.iter_mut().filter(|image| cancelled && image.status == Status::Pending) {
                    image.status = Status::Cancelled;
                    image.took = image
                        .stages
                        .first()
                        .map_or(Duration::ZERO, |first| envelope.elapsed.saturating_sub(first.begin));
                }
            }
            event => {
                if let Some(key) = &envelope.image {
                    self.image_mut(key).apply(event, envelope.elapsed);
                }
            }
        }
    }

    fn image_mut(&mut self, key: &ImageKey) -> &mut ImageReport {
        let at = self.images.iter().position(|image| image.key == *key).unwrap_or_else(|| {
            self.images.push(ImageReport::new(key.clone()));
            self.images.len() - 1
        });
        &mut self.images[at]
    }
}

impl ImageReport {
    fn apply(&mut self, event: &Event, elapsed: Duration) {
        match event {
            Event::Planned { source, version, digest, decision, inputs } => {
                self.inputs.clone_from(inputs);
                self.source = Some(source.clone());
                self.version = Some(version.clone());
                self.digest = Some(digest.clone());
                match decision {
                    Decision::Bake { reason } => self.reason = Some(reason.clone()),
                    Decision::Reuse { image } | Decision::Reregister { image } => self.image = Some(image.clone()),
                }
            }
            Event::StageStarted { stage } => {
                self.stages.push(StageReport { stage: *stage, begin: elapsed, took: None, failed: false });
            }
            Event::StageFinished { stage, took, failure } => {
                if let Some(open) = self.stages.iter_mut().rfind(|open| open.stage == *stage) {
                    open.took = Some(*took);
                    open.failed = failure.is_some();
                }
            }
            Event::StepStarted { phase, index, name, attempt } => match self.step_mut(*phase, *index) {
                Some(step) => {
                    step.attempts = *attempt;
                    step.log.clear();
                }
                None => self.steps.push(StepReport {
                    phase: *phase,
                    index: *index,
                    name: name.clone(),
                    attempts: *attempt,
                    result: None,
                    took: Duration::ZERO,
                    failure: None,
                    log: Vec::new(),
                }),
            },
            Event::StepOutput { phase, index, line, .. } => {
                if let Some(step) = self.step_mut(*phase, *index) {
                    step.remember(line);
                }
            }
            Event::StepFinished { phase, index, outcome, took } => {
                if let Some(step) = self.step_mut(*phase, *index) {
                    step.finish(outcome, *took);
                }
            }
            Event::Registered { image } => {
                self.version = Some(image.version.clone());
                self.image = Some(image.clone());
            }
            Event::Published { delivery } => {
                self.published.retain(|seen| (&seen.region, &seen.account) != (&delivery.region, &delivery.account));
                self.published.push(delivery.clone());
            }
            Event::Retired { image } => self.retired.push(image.clone()),
            Event::Held { image, why } => {
                self.held.push(Superseded { image: image.clone(), held: Some(why.clone()) });
            }
            Event::Deployed { rollout } => self.deployed.push(rollout.clone()),
            Event::Packages { before, after } => {
                self.packages = Some(PackageChanges::between(before, after));
                self.installed = Arc::new(packages::versions(after));
            }
            Event::ImageFinished { image, reused, failure, skipped } => {
                self.status = match failure {
                    Some(failure) if failure.kind == ErrorKind::Cancelled => Status::Cancelled,
                    _ if *skipped => Status::Skipped,
                    Some(_) => Status::Failed,
                    None => self.good(image.as_ref().map(|image| &image.id), *reused),
                };
                // An image that could not be published everywhere exists all the same.
                let registered = failure
                    .as_ref()
                    .is_some_and(|failure| matches!(failure.kind, ErrorKind::Publish | ErrorKind::Deploy));
                if image.is_some() || !registered {
                    self.image.clone_from(image);
                }
                self.failure.clone_from(failure);
                self.took = self.stages.first().map_or(Duration::ZERO, |first| elapsed.saturating_sub(first.begin));
            }
            _ => {}
        }
    }

    /// The kind of success. The plan named the image that existed before; another image or another version is a new
    /// registration of the same content.
    fn good(&self, image: Option<&String>, reused: bool) -> Status {
        let before = self.image.as_ref();
        match (image, reused) {
            (None, false) => Status::Validated,
            (None, true) => Status::Tested,
            (Some(_), false) => Status::Baked,
            (Some(now), true) => {
                let same = before.is_none_or(|before| {
                    before.id == *now && self.version.as_ref().is_none_or(|version| before.version == *version)
                });
                if same { Status::Reused } else { Status::Registered }
            }
        }
    }

    fn step_mut(&mut self, phase: Phase, index: usize) -> Option<&mut StepReport> {
        self.steps.iter_mut().find(|step| step.phase == phase && step.index == index)
    }
}

impl StepReport {
    fn remember(&mut self, line: &str) {
        self.log.push(line.to_owned());
        let mut size: usize = self.log.iter().map(String::len).sum();
        let mut over = self.log.len().saturating_sub(LOG_LINES);
        size -= self.log[..over].iter().map(String::len).sum::<usize>();
        while size > LOG_BYTES && over + 1 < self.log.len() {
            size -= self.log[over].len();
            over += 1;
        }
        self.log.drain(..over);
    }

    fn finish(&mut self, outcome: &StepOutcome, took: Duration) {
        self.took += took;
        let (result, failure) = match outcome {
            StepOutcome::Passed => (Some(StepResult::Passed), None),
            StepOutcome::Retrying(failure) => (None, Some(failure.clone())),
            StepOutcome::Failed(failure) => (Some(StepResult::Failed), Some(failure.clone())),
            StepOutcome::Ignored(failure) => (Some(StepResult::Ignored), Some(failure.clone())),
        };
        self.result = result;
        self.failure = failure;
        if result == Some(StepResult::Passed) {
            self.log = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::error::Error;
    use crate::event::{EVENT_VERSION, Package, Stage};
    use crate::failure::Failure;
    use crate::output::Stream;
    use crate::plan::{Digest, SourceImage};

    fn at(milliseconds: u64, image: Option<&str>, event: Event) -> Envelope {
        Envelope {
            v: EVENT_VERSION,
            at: Timestamp::from_millisecond(1_000_000 + milliseconds.cast_signed()).unwrap(),
            elapsed: Duration::from_millis(milliseconds),
            image: image.map(ImageKey::new),
            event,
        }
    }

    fn failing_run() -> Vec<Envelope> {
        let source = SourceImage {
            id: "host".into(),
            name: "Debian 12".into(),
            owner: String::new(),
            created: None,
            tags: std::collections::BTreeMap::new(),
            architecture: None,
            identity: "x".into(),
            version: None,
        };
        let failure = Failure::from(&Error::build("step \"Install\" exited with status 100").help("Look at the log."));
        let mut events = vec![
            at(
                0,
                None,
                Event::RunStarted {
                    run: "r1".into(),
                    namespace: "shop".into(),
                    platform: "local".into(),
                    region: None,
                    images: vec![ImageKey::new("base"), ImageKey::new("web")],
                },
            ),
            at(10, Some("base"), Event::StageStarted { stage: Stage::Source }),
            at(
                20,
                Some("base"),
                Event::Planned {
                    source,
                    version: semver::Version::new(0, 1, 0),
                    digest: Digest::from_text("sha256:00"),
                    decision: Decision::Bake { reason: "nothing is published yet".into() },
                    inputs: Vec::new(),
                },
            ),
            at(
                30,
                Some("base"),
                Event::StageFinished { stage: Stage::Source, took: Duration::from_millis(20), failure: None },
            ),
            at(
                40,
                Some("base"),
                Event::MachineStarted {
                    id: "m1".into(),
                    kind: "sandbox".into(),
                    place: "this machine".into(),
                    phase: Phase::Build,
                },
            ),
            at(50, Some("base"), Event::StageStarted { stage: Stage::Build }),
            at(
                60,
                Some("base"),
                Event::StepStarted { phase: Phase::Build, index: 0, name: "Install".into(), attempt: 1 },
            ),
        ];
        events.extend((0..100).map(|line| {
            at(
                70,
                Some("base"),
                Event::StepOutput {
                    phase: Phase::Build,
                    index: 0,
                    stream: Stream::Stdout,
                    line: format!("line {line}"),
                },
            )
        }));
        events.extend([
            at(
                80,
                Some("base"),
                Event::StepFinished {
                    phase: Phase::Build,
                    index: 0,
                    outcome: StepOutcome::Failed(failure.clone()),
                    took: Duration::from_millis(20),
                },
            ),
            at(
                90,
                Some("base"),
                Event::StageFinished {
                    stage: Stage::Build,
                    took: Duration::from_millis(40),
                    failure: Some(failure.clone()),
                },
            ),
            at(
                95,
                Some("base"),
                Event::MachineEnded {
                    id: "m1".into(),
                    kind: "sandbox".into(),
                    ran: Duration::from_millis(55),
                    hourly: None,
                },
            ),
            at(
                100,
                Some("base"),
                Event::ImageFinished { image: None, reused: false, failure: Some(failure), skipped: false },
            ),
            at(101, Some("web"), Event::ImageFinished { image: None, reused: false, failure: None, skipped: true }),
            at(110, None, Event::RunFinished { exit_code: 5, report: None }),
        ]);
        events
    }

    #[test]
    fn a_failed_run_says_what_failed_where_and_how_long_it_took() {
        let report = Report::replay(&failing_run());
        assert_eq!((report.exit_code, report.took), (Some(5), Duration::from_millis(110)));
        let base = report.image(&ImageKey::new("base")).unwrap();
        assert_eq!((base.status, base.took), (Status::Failed, Duration::from_millis(90)));
        assert_eq!(base.reason.as_deref(), Some("nothing is published yet"));
        assert!(base.stages[1].failed && !base.stages[0].failed);
        let step = &base.steps[0];
        assert_eq!((step.result, step.log.len()), (Some(StepResult::Failed), LOG_LINES));
        assert_eq!(step.log.last().map(String::as_str), Some("line 99"));
        assert_eq!(report.machines[0].ran, Some(Duration::from_millis(55)));
        assert_eq!(report.image(&ImageKey::new("web")).unwrap().status, Status::Skipped);
    }

    #[test]
    fn a_recorded_run_replays_to_the_same_report() {
        let run = failing_run();
        let recorded: Vec<String> = run.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        let read: Vec<Envelope> = recorded.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(Report::replay(&read), Report::replay(&run));
    }

    #[test]
    fn a_report_that_broke_off_has_no_exit_code() {
        let run = failing_run();
        let report = Report::replay(&run[..run.len() - 3]);
        assert_eq!(report.exit_code, None);
        assert_eq!(report.images[0].status, Status::Pending);
        assert_eq!(report.images[0].stages[1].took, Some(Duration::from_millis(40)));
    }

    #[test]
    fn what_a_cancelled_run_left_open_is_cancelled() {
        let mut run = failing_run();
        run.truncate(run.len() - 3);
        run.push(at(110, None, Event::RunFinished { exit_code: 130, report: None }));
        let report = Report::replay(&run);
        assert_eq!((report.images[0].status, report.images[0].took), (Status::Cancelled, Duration::from_millis(100)));
    }

    #[test]
    fn a_step_that_passes_at_the_second_attempt_keeps_no_log() {
        let mut image = ImageReport::new(ImageKey::new("base"));
        let failure = Failure::from(&Error::build("x"));
        let finished =
            |outcome| Event::StepFinished { phase: Phase::Build, index: 0, outcome, took: Duration::from_secs(1) };
        for (attempt, outcome) in [(1, StepOutcome::Retrying(failure)), (2, StepOutcome::Passed)] {
            let started = Event::StepStarted { phase: Phase::Build, index: 0, name: "x".into(), attempt };
            image.apply(&started, Duration::ZERO);
            let line =
                Event::StepOutput { phase: Phase::Build, index: 0, stream: Stream::Stderr, line: attempt.to_string() };
            image.apply(&line, Duration::ZERO);
            image.apply(&finished(outcome), Duration::ZERO);
        }
        let step = &image.steps[0];
        assert_eq!((step.attempts, step.took, &step.failure), (2, Duration::from_secs(2), &None));
        assert!(step.log.is_empty());
    }

    #[test]
    fn packages_are_reported_as_changes() {
        let mut image = ImageReport::new(ImageKey::new("base"));
        let nginx = Package { name: "nginx".into(), version: "1".into() };
        image.apply(&Event::Packages { before: vec![], after: vec![nginx.clone()] }, Duration::ZERO);
        assert_eq!(image.packages.as_ref().unwrap().added, [nginx]);
        assert_eq!(image.installed["nginx"], "1");

        let mut later = Report { images: vec![ImageReport::new(ImageKey::new("base"))], ..Report::default() };
        image.digest = Some(Digest::from_text("sha256:00"));
        let earlier = Report { images: vec![image], ..Report::default() };
        later.inherit(&earlier);
        assert!(later.images[0].installed.is_empty(), "another digest is another image");
        later.images[0].digest = Some(Digest::from_text("sha256:00"));
        later.inherit(&earlier);
        assert_eq!(later.images[0].installed["nginx"], "1");
    }
}
