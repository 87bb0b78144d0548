//! Runs the phases of a document in its own order, and decides the consequences of failed steps.
use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::OnFailure;
use ami_bake_core::{Error, ErrorKind, Result, SourceLocation};
use async_trait::async_trait;

use super::step::{Ending, StepRun, run_step};
use crate::document::{Invocation, Section, Step};
use crate::machine::{Deadline, Machine};
use crate::module::Action;
use crate::modules::{DocumentRunner, Summary};
use crate::scope::Memory;

/// Runs the phases of an invocation.
///
/// # Errors
/// The first failure that the document does not ignore, with phase, step and action.
pub(crate) async fn run(
    machine: &Machine<'_>,
    invocation: &Invocation<'_>,
    memory: &mut Memory,
    deadline: Deadline,
    output: &mut dyn OutputSink,
) -> Result<Summary> {
    let variables = invocation.variables();
    let mut summary = Summary::default();
    let mut first = None;
    'phases: for section in &invocation.document.phases {
        if invocation.phases.is_some_and(|phases| !phases.contains(&section.name.as_str())) {
            continue;
        }
        for step in &section.steps {
            machine.run.check()?;
            machine.run.progress(format!("{}: {} ({})", section.name, step.name, step.module.name));
            let ended = {
                let of = StepRun {
                    machine,
                    invocation,
                    section,
                    step,
                    variables: &variables,
                    outer: deadline,
                    documents: &Nested,
                };
                run_step(&of, memory, output).await
            };
            let error = match ended {
                Ok(Ending::Passed) => {
                    summary.passed += 1;
                    continue;
                }
                Ok(Ending::Skipped) => {
                    summary.skipped += 1;
                    machine.run.progress(format!("{}: skipped {}", section.name, step.name));
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
                Err(error) => failed(machine, invocation, section, step, error),
            };
            match step.on_failure {
                OnFailure::Abort => {
                    summary.failed += 1;
                    first.get_or_insert(error);
                    break 'phases;
                }
                OnFailure::Continue => {
                    summary.failed += 1;
                    warn(machine, &error, "continuing, the document fails at its end");
                    let _ = first.get_or_insert(error);
                }
                OnFailure::Ignore => {
                    summary.ignored += 1;
                    warn(machine, &error, "ignored");
                }
            }
        }
    }
    let Some(error) = first else { return Ok(summary) };
    machine.run.progress(format!("{}: {summary}", invocation.name));
    Err(error)
}

/// Runs the documents of `ExecuteDocument`, each with a memory of its own.
struct Nested;

#[async_trait]
impl DocumentRunner for Nested {
    async fn run(
        &self,
        machine: &Machine<'_>,
        invocation: &Invocation<'_>,
        deadline: Deadline,
        output: &mut dyn OutputSink,
    ) -> Result<Summary> {
        run(machine, invocation, &mut Memory::new(), deadline, output).await
    }
}

/// Warns about a failure that does not end the document now.
fn warn(machine: &Machine<'_>, error: &Error, what: &str) {
    let message = format!("{}; {what}", [vec![error.to_string()], error.causes()].concat().join(": "));
    match error.place() {
        Some(place) => machine.run.warn_at(place.clone(), message),
        None => machine.run.warn(message, None),
    }
}

/// The error with phase, step, action and line; its causes have the end of standard error.
fn failed(machine: &Machine<'_>, invocation: &Invocation<'_>, section: &Section, step: &Step, error: Error) -> Error {
    let message = format!(
        "{}:{}: the phase `{}` failed at the step `{}` ({}): {}",
        invocation.name,
        step.line,
        section.name,
        step.name,
        step.module.name,
        error.message()
    );
    let prints = matches!(step.module.action, Action::ExecuteBash | Action::ExecuteBinary | Action::UpdateOs);
    let help = match error.help_text() {
        Some(help) => help,
        None if prints && !step.quiet => {
            "See its output above. `--keep-on-failure` keeps the machine running so that you can look at it."
        }
        None => "`--keep-on-failure` keeps the machine running so that you can look at it.",
    }
    .to_owned();
    let failed = Error::build(message).help(help).because(error).at(machine.step.route.clone());
    // A nested document is on the machine, not a file of the user.
    if invocation.callers.is_empty() {
        failed.in_file(SourceLocation { file: invocation.name.to_owned(), line: step.line })
    } else {
        failed
    }
}
