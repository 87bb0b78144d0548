//! Lowers steps to the plan of core.

use std::path::Path;

use ami_bake_core::Route;
use ami_bake_core::plan::{self, Inputs, OnFailure, Phase};

use crate::model::{Common, DurationText, OnFailureChoice, Step, StepContext};
use crate::secret::value;

/// The steps of a phase; paths become relative to the working directory.
pub(crate) fn steps(
    steps: Vec<(usize, Step)>,
    phase: Phase,
    route: &Route,
    folder: &Path,
    user: Option<&str>,
) -> Vec<plan::Step> {
    let context = StepContext { phase, folder, user };
    steps.into_iter().filter_map(|(index, step)| self::step(step, route.index(index), &context)).collect()
}

fn step(step: Step, route: Route, context: &StepContext<'_>) -> Option<plan::Step> {
    let Common { name, env, timeout, retries, on_failure, cache_for, .. } = step.common;
    let title = || format!("{} {}", step.step_type.key, step.settings.about()).trim_end().to_owned();
    Some(plan::Step {
        name: name.unwrap_or_else(title),
        route,
        action: step.settings.lower(context)?,
        env: env.0.into_iter().map(|(name, text)| (name, value(&text))).collect(),
        timeout: timeout.as_ref().and_then(DurationText::duration),
        retries,
        on_failure: match on_failure {
            None | Some(OnFailureChoice::Abort) => OnFailure::Abort,
            Some(OnFailureChoice::Continue) => OnFailure::Continue,
            Some(OnFailureChoice::Ignore) => OnFailure::Ignore,
        },
        cache_for: cache_for.as_ref().and_then(DurationText::duration),
        inputs: Inputs::default(),
    })
}
