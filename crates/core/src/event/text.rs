//! Access to the free text of events: text of people and machines, which may contain a secret.

use super::{Decision, Event, Failure, StepOutcome};

impl Event {
    /// Applies `change` to every free text in the event. IDs, stage names and the like are skipped: a secret that
    /// happens to be the word `test` must not corrupt the record.
    pub fn rewrite(&mut self, change: &dyn Fn(&mut String)) {
        match self {
            Self::Planned { decision, inputs, .. } => {
                if let Decision::Bake { reason } = decision {
                    change(reason);
                }
                for input in inputs {
                    change(&mut input.name);
                }
            }
            Self::StageFinished { failure: Some(failure), .. } | Self::ImageFinished { failure: Some(failure), .. } => {
                failure.rewrite(change);
            }
            Self::StepStarted { name, .. } => change(name),
            Self::StepOutput { line, .. } => change(line),
            Self::StepFinished { outcome, .. } => match outcome {
                StepOutcome::Passed => {}
                StepOutcome::Retrying(failure) | StepOutcome::Failed(failure) | StepOutcome::Ignored(failure) => {
                    failure.rewrite(change);
                }
            },
            Self::Progress { message } => change(message),
            Self::Warning { message, help, .. } => {
                change(message);
                help.iter_mut().for_each(change);
            }
            Self::Published { delivery } => {
                delivery.done.iter_mut().for_each(change);
                delivery.failure.iter_mut().for_each(|failure| failure.rewrite(change));
            }
            Self::Deployed { rollout } => {
                rollout.done.iter_mut().for_each(change);
                rollout.failure.iter_mut().for_each(|failure| failure.rewrite(change));
            }
            Self::Kept { what, hint } => {
                change(what);
                change(hint);
            }
            Self::Held { why, .. } => change(why),
            Self::Orphaned { what, why } => {
                change(what);
                change(why);
            }
            _ => {}
        }
    }
}

impl Failure {
    fn rewrite(&mut self, change: &dyn Fn(&mut String)) {
        change(&mut self.message);
        self.causes.iter_mut().for_each(change);
        self.help.iter_mut().for_each(change);
    }
}
