//! The phases of a document, in its own order, and what a failed step means for the rest.

use std::collections::HashMap;
use std::fmt;

use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::OnFailure;
use ami_bake_core::{Error, ErrorKind, Result, SourceLocation};

use super::step::{Ending, run_step};
use super::{Deadline, Machine, Memory};
use crate::document::{Document, Section, Step};
use crate::module::Action;

/// A document, and what is wanted of it.
pub(crate) struct Use<'a> {
    pub(crate) document: &'a Document,
    /// Its file's name, for messages.
    pub(crate) name: &'a str,
    /// Values of its parameters.
    pub(crate) parameters: &'a [(String, String)],
    /// The phases that run; all without.
    pub(crate) phases: Option<&'a [&'a str]>,
    /// The documents that run this one, the outermost first.
    pub(crate) above: &'a [String],
}

impl Use<'_> {
    /// Parameters and constants by name; what has no value is empty, as in AWSTOE.
    pub(crate) fn variables(&self) -> HashMap<String, String> {
        let given = |name: &str| self.parameters.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value);
        let variables = self.document.variables.iter();
        variables
            .map(|variable| {
                let given = given(&variable.name).filter(|_| !variable.constant);
                (variable.name.clone(), given.or(variable.value.as_ref()).cloned().unwrap_or_default())
            })
            .collect()
    }
}

/// How many steps came to which end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) passed: usize,
    pub(crate) skipped: usize,
    pub(crate) ignored: usize,
    pub(crate) failed: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} passed", self.passed, if self.passed == 1 { "step" } else { "steps" })?;
        for (count, word) in [(self.skipped, "skipped"), (self.ignored, "failed and ignored"), (self.failed, "failed")]
        {
            if count > 0 {
                write!(f, ", {count} {word}")?;
            }
        }
        Ok(())
    }
}

/// Runs the wanted phases.
///
/// # Errors
/// The first failure that was not to be ignored, as phase, step, action and what was seen.
pub(crate) async fn run(
    machine: &Machine<'_>,
    wanted: &Use<'_>,
    memory: &mut Memory,
    deadline: Deadline,
    output: &mut dyn OutputSink,
) -> Result<Summary> {
    let variables = wanted.variables();
    let mut summary = Summary::default();
    let mut first = None;
    'phases: for section in &wanted.document.phases {
        if wanted.phases.is_some_and(|phases| !phases.contains(&section.name.as_str())) {
            continue;
        }
        for step in &section.steps {
            machine.run.check()?;
            machine.run.progress(format!("{}: {} ({})", section.name, step.name, step.module.name));
            let ended = run_step(machine, wanted, section, step, &variables, memory, deadline, output).await;
            let error = match ended {
                Ok(Ending::Passed) => {
                    summary.passed += 1;
                    continue;
                }
                Ok(Ending::Skipped) => {
                    summary.skipped += 1;
                    machine.run.progress(format!("{}: {} is skipped", section.name, step.name));
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
                Err(error) => failed(machine, wanted, section, step, error),
            };
            match step.on_failure {
                OnFailure::Abort => {
                    summary.failed += 1;
                    first.get_or_insert(error);
                    break 'phases;
                }
                OnFailure::Continue => {
                    summary.failed += 1;
                    warn(machine, &error, "the next steps run, and the document fails at its end");
                    let _ = first.get_or_insert(error);
                }
                OnFailure::Ignore => {
                    summary.ignored += 1;
                    warn(machine, &error, "that is ignored");
                }
            }
        }
    }
    let Some(error) = first else { return Ok(summary) };
    machine.run.progress(format!("{}: {summary}", wanted.name));
    Err(error)
}

/// Tells of a failure that does not end the document now.
fn warn(machine: &Machine<'_>, error: &Error, what: &str) {
    let message = format!("{}; {what}", [vec![error.to_string()], error.causes()].concat().join(": "));
    match error.place() {
        Some(place) => machine.run.warn_at(place.clone(), message),
        None => machine.run.warn(message, None),
    }
}

/// Phase, step, action and line of a failure; its causes hold the end of standard error.
fn failed(machine: &Machine<'_>, wanted: &Use<'_>, section: &Section, step: &Step, error: Error) -> Error {
    let message = format!(
        "{}:{}: the phase `{}` failed at the step `{}` ({}): {}",
        wanted.name,
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
            "Its output above says why. `--keep-on-failure` keeps the machine, so that you can look at it."
        }
        None => "`--keep-on-failure` keeps the machine, so that you can look at it.",
    }
    .to_owned();
    let failed = Error::build(message).help(help).because(error).at(machine.step.route.clone());
    // A document that another runs lies on the machine, and is no file of the reader's.
    if wanted.above.is_empty() {
        failed.in_file(SourceLocation { file: wanted.name.to_owned(), line: step.line })
    } else {
        failed
    }
}
