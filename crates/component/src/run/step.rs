//! One step: its condition once, then its attempts, each with all turns of its loop.

use std::collections::HashMap;

use ami_bake_core::output::OutputSink;
use ami_bake_core::{Error, ErrorKind, Result};

use super::scope::Scope;
use super::{Deadline, Done, Machine, Memory, Outputs, Use};
use crate::document::{Section, Step, Turns, Verdict};
use crate::module::Action;
use crate::modules::{Doing, act};

/// No loop of a document that means it has more turns.
const TURNS: usize = 100_000;

/// How a step ended that did not fail.
pub(super) enum Ending {
    Passed,
    Skipped,
}

/// A turn of a loop: its index from 0, and its value.
pub(super) type Turn = (usize, String);

/// Runs a step and remembers what it put out.
#[expect(clippy::too_many_arguments, reason = "one caller, and each is a different thing")]
pub(super) async fn run_step(
    machine: &Machine<'_>,
    wanted: &Use<'_>,
    section: &Section,
    step: &Step,
    variables: &HashMap<String, String>,
    memory: &mut Memory,
    outer: Deadline,
    output: &mut dyn OutputSink,
) -> Result<Ending> {
    if let Some(gate) = &step.gate {
        let scope = Scope::new(machine, wanted.document, variables, memory, section, step);
        let holds = scope.holds(&gate.test, outer).await?;
        match if holds { gate.then } else { gate.otherwise } {
            Verdict::Execute => {}
            Verdict::Skip => return Ok(Ending::Skipped),
            Verdict::Abort => {
                return Err(Error::build(format!("its `if` is {holds}, which means `Abort`"))
                    .help("`then` and `else` of the condition say so."));
            }
        }
    }
    let turns = {
        let scope = Scope::new(machine, wanted.document, variables, memory, section, step);
        turns(&scope, step).await?
    };
    let mut attempt = 1;
    loop {
        // Neither a restart nor a document within this one has a limit of its own.
        let limit = step.timeout.filter(|_| step.module.action != Action::Reboot);
        let deadline = Deadline::new(machine.run, limit).sooner(outer);
        let mut done = Done::default();
        let doing = Doing { machine, wanted, step, deadline, outer };
        let scope = Scope::new(machine, wanted.document, variables, memory, section, step);
        let result = attempt_once(&doing, &scope, turns.as_deref(), &mut done, output).await;
        memory.insert((section.name.clone(), step.name.clone()), done);
        match result {
            Err(error) if attempt < step.attempts && error.kind() != ErrorKind::Cancelled => {
                machine.run.progress(format!(
                    "{}: {} failed at attempt {attempt} of {}: {}",
                    section.name,
                    step.name,
                    step.attempts,
                    error.message()
                ));
                attempt += 1;
            }
            result => return result.map(|()| Ending::Passed),
        }
    }
}

/// All turns, also behind one that failed; what each put out is joined by newlines.
async fn attempt_once(
    doing: &Doing<'_>,
    scope: &Scope<'_>,
    turns: Option<&[Turn]>,
    done: &mut Done,
    output: &mut dyn OutputSink,
) -> Result<()> {
    let Some(turns) = turns else {
        done.inputs = scope.inputs().await?;
        return Box::pin(act(doing, scope, &done.inputs, &mut done.outputs, output)).await;
    };
    let mut failures: Vec<usize> = Vec::new();
    let mut first = None;
    for turn in turns {
        let scope = scope.at(turn.clone());
        let mut outputs = Outputs::new();
        let result = match scope.inputs().await {
            Ok(inputs) => {
                let result = Box::pin(act(doing, &scope, &inputs, &mut outputs, output)).await;
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
    let which = if failures.len() == 1 { "turn" } else { "turns" };
    let message = format!("{which} {} of {} failed, the first: {}", indices.join(", "), turns.len(), error.message());
    let wrapped = Error::build(message);
    Err(match error.help_text() {
        Some(help) => wrapped.help(help.to_owned()),
        None => wrapped,
    }
    .because(error))
}

/// The turns of a loop, fixed before the first.
async fn turns(scope: &Scope<'_>, step: &Step) -> Result<Option<Vec<Turn>>> {
    let Some(repeat) = &step.repeat else { return Ok(None) };
    let values: Vec<String> = match &repeat.turns {
        Turns::Count { start, end, by } => {
            let count = (i128::from(*end) - i128::from(*start)) / i128::from(*by) + 1;
            if count > TURNS as i128 {
                return Err(Error::build(format!("its loop has {count} turns, more than {TURNS}")));
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
