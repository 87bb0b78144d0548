//! Runs a step: evaluates its condition once, then makes its attempts, each with all iterations of its loop.

use std::collections::HashMap;

use ami_bake_core::output::OutputSink;
use ami_bake_core::{Error, ErrorKind, Result};

use crate::document::{Branch, Invocation, Section, Step, Turns};
use crate::machine::{Deadline, Machine};
use crate::module::Action;
use crate::modules::{Attempt, DocumentRunner, act};
use crate::scope::{FinishedStep, Memory, Outputs, Scope, Turn};

/// Maximum number of iterations of a loop.
const ITERATIONS: usize = 100_000;

/// How a step ended without failing.
pub(super) enum Ending {
    Passed,
    Skipped,
}

/// A step to run.
pub(super) struct StepRun<'a> {
    pub(super) machine: &'a Machine<'a>,
    pub(super) invocation: &'a Invocation<'a>,
    pub(super) section: &'a Section,
    pub(super) step: &'a Step,
    pub(super) variables: &'a HashMap<String, String>,
    /// The manifest's own deadline.
    pub(super) outer: Deadline,
    /// Runs another document (`ExecuteDocument`).
    pub(super) documents: &'a dyn DocumentRunner,
}

impl<'a> StepRun<'a> {
    fn scope<'b>(&'b self, memory: &'b Memory) -> Scope<'b>
    where
        'a: 'b,
    {
        Scope::new(self.machine, self.invocation.document, self.variables, memory, self.section, self.step)
    }
}

/// Runs a step and records its inputs and outputs.
pub(super) async fn run_step(of: &StepRun<'_>, memory: &mut Memory, output: &mut dyn OutputSink) -> Result<Ending> {
    let StepRun { machine, invocation, section, step, outer, documents, .. } = *of;
    if let Some(gate) = &step.gate {
        let holds = of.scope(memory).holds(&gate.test, outer).await?;
        match if holds { gate.then } else { gate.otherwise } {
            Branch::Execute => {}
            Branch::Skip => return Ok(Ending::Skipped),
            Branch::Abort => {
                return Err(Error::build(format!("its `if` is {holds}, which means `Abort`"))
                    .help("See `then` and `else` of the condition."));
            }
        }
    }
    let turns = turns(&of.scope(memory), step).await?;
    let mut number = 1;
    loop {
        // A restart and a nested document have no time limit of their own.
        let limit = step.timeout.filter(|_| step.module.action != Action::Reboot);
        let deadline = Deadline::new(machine.run, limit).sooner(outer);
        let mut done = FinishedStep::default();
        let attempt = Attempt { machine, invocation, step, deadline, outer, documents };
        let result = attempt_once(&attempt, &of.scope(memory), turns.as_deref(), &mut done, output).await;
        memory.insert((section.name.clone(), step.name.clone()), done);
        match result {
            Err(error) if number < step.attempts && error.kind() != ErrorKind::Cancelled => {
                machine.run.progress(format!(
                    "{}: {} failed at attempt {number} of {}, retrying: {}",
                    section.name,
                    step.name,
                    step.attempts,
                    error.message()
                ));
                number += 1;
            }
            result => return result.map(|()| Ending::Passed),
        }
    }
}

/// Runs all iterations, even after a failed one; their outputs are joined by newlines.
async fn attempt_once(
    attempt: &Attempt<'_>,
    scope: &Scope<'_>,
    turns: Option<&[Turn]>,
    done: &mut FinishedStep,
    output: &mut dyn OutputSink,
) -> Result<()> {
    let Some(turns) = turns else {
        done.inputs = scope.inputs().await?;
        return Box::pin(act(attempt, scope, &done.inputs, &mut done.outputs, output)).await;
    };
    let mut failures: Vec<usize> = Vec::new();
    let mut first = None;
    for turn in turns {
        let scope = scope.at(turn.clone());
        let mut outputs = Outputs::new();
        let result = match scope.inputs().await {
            Ok(inputs) => {
                let result = Box::pin(act(attempt, &scope, &inputs, &mut outputs, output)).await;
                done.inputs = inputs;
                result
            }
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => {
                for (name, text) in outputs {
                    let all = done.outputs.entry(name).or_default();
                    if !all.is_empty() {
                        all.push('\n');
                    }
                    all.push_str(&text);
                }
            }
            Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
            Err(error) => {
                failures.push(turn.0);
                let _ = first.get_or_insert(error);
            }
        }
    }
    let Some(error) = first else { return Ok(()) };
    let indices: Vec<String> = failures.iter().map(ToString::to_string).collect();
    let which = if failures.len() == 1 { "iteration" } else { "iterations" };
    let message =
        format!("{which} {} of {} failed, first failure: {}", indices.join(", "), turns.len(), error.message());
    let wrapped = Error::build(message);
    Err(match error.help_text() {
        Some(help) => wrapped.help(help.to_owned()),
        None => wrapped,
    }
    .because(error))
}

/// The iterations of a loop, computed before the first one runs.
async fn turns(scope: &Scope<'_>, step: &Step) -> Result<Option<Vec<Turn>>> {
    let Some(repeat) = &step.repeat else { return Ok(None) };
    let values: Vec<String> = match &repeat.turns {
        Turns::Count { start, end, by } => {
            let count = (i128::from(*end) - i128::from(*start)) / i128::from(*by) + 1;
            if count > ITERATIONS as i128 {
                return Err(Error::build(format!("its loop has {count} iterations, more than {ITERATIONS}")));
            }
            (0..count).map(|turn| (i128::from(*start) + turn * i128::from(*by)).to_string()).collect()
        }
        Turns::Each(items) => {
            let mut values = Vec::new();
            for item in items {
                let text = item.scalar().map(|scalar| scalar.text.as_str()).unwrap_or_default();
                values.push(scope.text(text).await?);
            }
            values
        }
        Turns::Split { list, delimiter } => {
            let text = list.scalar().map(|scalar| scalar.text.as_str()).unwrap_or_default();
            scope.text(text).await?.split(delimiter.as_str()).map(str::to_owned).collect()
        }
    };
    Ok(Some(values.into_iter().enumerate().collect()))
}
