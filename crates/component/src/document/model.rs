//! The types of a document (user guide, toe-use-documents).

use std::time::Duration;

use ami_bake_core::plan::OnFailure;
use ami_bake_manifest::diagnostic::Span;
use ami_bake_manifest::tree::Node;

use super::Condition;
use crate::module::Module;

/// A component document.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) variables: Vec<Variable>,
    pub(crate) phases: Vec<Section>,
}

/// A parameter or a constant.
#[derive(Debug, Clone)]
pub(crate) struct Variable {
    pub(crate) name: String,
    /// Value of a constant, or default of a parameter.
    pub(crate) value: Option<String>,
    pub(crate) constant: bool,
    /// Allowed values of a parameter; empty allows any.
    pub(crate) allowed: Vec<String>,
}

/// A phase.
#[derive(Debug, Clone)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) steps: Vec<Step>,
}

/// A step.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) span: Span,
    /// Number of its line in the file, from 1.
    pub(crate) line: usize,
    pub(crate) module: &'static Module,
    pub(crate) action_span: Span,
    /// The inputs as written; `None` if they were omitted.
    pub(crate) inputs: Option<Node>,
    /// Condition of an `Assert`.
    pub(crate) assertion: Option<Condition>,
    pub(crate) on_failure: OnFailure,
    pub(crate) attempts: u32,
    /// Time limit of one attempt.
    pub(crate) timeout: Option<Duration>,
    pub(crate) repeat: Option<Loop>,
    pub(crate) gate: Option<Gate>,
    /// True if none of its output is shown.
    pub(crate) quiet: bool,
}

/// The loop of a step.
#[derive(Debug, Clone)]
pub(crate) struct Loop {
    pub(crate) name: Option<String>,
    pub(crate) turns: Turns,
}

/// The values of a loop.
#[derive(Debug, Clone)]
pub(crate) enum Turns {
    /// Numbers from start to end, inclusive.
    Count { start: i64, end: i64, by: i64 },
    /// Each of these values, which may refer to outputs of earlier steps.
    Each(Vec<Node>),
    /// The parts of a text, split at a delimiter.
    Split { list: Node, delimiter: String },
}

/// The `if` of a step.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    pub(crate) test: Condition,
    pub(crate) then: Branch,
    pub(crate) otherwise: Branch,
}

/// What to do with a step, depending on its condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Branch {
    Abort,
    Execute,
    Skip,
}

impl Document {
    /// The phase with this name.
    pub(crate) fn phase(&self, name: &str) -> Option<&Section> {
        self.phases.iter().find(|phase| phase.name == name)
    }

    /// The parameter or constant with this name.
    pub(crate) fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().find(|variable| variable.name == name)
    }
}

impl Step {
    /// Name of the step's loop, if it has one.
    pub(crate) fn loop_name(&self) -> Option<&str> {
        self.repeat.as_ref()?.name.as_deref()
    }
}

impl Loop {
    /// Whether `NAME` in `{{ NAME.index }}` refers to this loop.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        name == "loop" || self.name.as_deref() == Some(name)
    }
}
