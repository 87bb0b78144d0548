//! What the files of a template declare.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use hcl_edit::expr::Expression;
use hcl_edit::structure::Body;
use jiff::Timestamp;

use super::error::{EvalError, EvalResult};
use super::scope::Scope;
use super::value::{HclValue, Scalar, Unknown};
use super::variable::Variable;
use crate::paths::Paths;
use crate::template::call;

/// Evaluates an expression. A function pointer, since everything that an expression can contain evaluates further expressions.
pub(super) type Evaluate = fn(&Scope, &Expression) -> EvalResult<HclValue>;

/// Everything that a template declares.
pub(super) struct Module<'a> {
    pub(super) evaluate: Evaluate,
    pub(super) variables: Vec<Variable<'a>>,
    pub(super) locals: Vec<Local<'a>>,
    pub(super) data: Vec<DataBlock<'a>>,
    /// Values that the bake must be given and that are not variables of the template.
    pub(super) extras: RefCell<Vec<ExtraVariable>>,
    pub(super) paths: &'a Paths,
    pub(super) now: Option<Timestamp>,
    pub(super) environment: &'a BTreeMap<String, String>,
    /// Locals that are being evaluated, to detect cycles.
    pub(super) open: RefCell<Vec<String>>,
    depth: Cell<usize>,
    budget: Cell<usize>,
}

/// An entry of `locals`, or a `local` block.
pub(super) struct Local<'a> {
    pub(super) name: String,
    pub(super) file: usize,
    pub(super) expr: &'a Expression,
    pub(super) sensitive: bool,
    pub(super) used: Cell<bool>,
    pub(super) cache: RefCell<Option<CachedLocal>>,
}

/// The value of a local, with its notes.
type CachedLocal = EvalResult<(HclValue, Vec<String>)>;

/// A `data` block.
pub(super) struct DataBlock<'a> {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) file: usize,
    pub(super) body: &'a Body,
    pub(super) used: Cell<bool>,
}

/// A value that the bake must be given.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ExtraVariable {
    /// The variable for it.
    pub(super) name: String,
    pub(super) file: usize,
    /// Its path in the template.
    pub(super) path: String,
    pub(super) secret: bool,
}

/// How deep expressions may nest: deeper than in any template, and no risk for the stack.
const DEPTH: usize = 100;
/// Steps and bytes that one import may use.
const BUDGET: usize = 32 << 20;

impl<'a> Module<'a> {
    pub(super) fn new(
        evaluate: Evaluate,
        paths: &'a Paths,
        now: Option<Timestamp>,
        environment: &'a BTreeMap<String, String>,
    ) -> Self {
        Self {
            evaluate,
            variables: Vec::new(),
            locals: Vec::new(),
            data: Vec::new(),
            extras: RefCell::default(),
            paths,
            now,
            environment,
            open: RefCell::default(),
            depth: Cell::new(0),
            budget: Cell::new(BUDGET),
        }
    }

    /// Enters a nested expression, until `leave`.
    pub(super) fn enter(&self) -> EvalResult<()> {
        if self.depth.get() >= DEPTH {
            return Err(EvalError::unsupported("the expression is nested too deeply"));
        }
        self.depth.set(self.depth.get() + 1);
        self.spend(1)
    }

    pub(super) fn leave(&self) {
        self.depth.set(self.depth.get().saturating_sub(1));
    }

    /// Takes steps or bytes off the budget of the import.
    pub(super) fn spend(&self, amount: usize) -> EvalResult<()> {
        match self.budget.get().checked_sub(amount) {
            Some(rest) => {
                self.budget.set(rest);
                Ok(())
            }
            None => Err(EvalError::unsupported("the values of the template are too large")),
        }
    }

    /// The data source of a type and a name.
    pub(super) fn find_data(&self, kind: &str, name: &str) -> Option<&DataBlock<'a>> {
        self.data.iter().find(|data| data.kind == kind && data.name == name)
    }

    /// A value that the bake must be given, as a variable of its own.
    pub(super) fn extra(&self, name: &str, file: usize, path: String, secret: bool) -> HclValue {
        let mut extras = self.extras.borrow_mut();
        let known =
            extras.iter().find(|extra| extra.path == path && extra.file == file).map(|extra| extra.name.clone());
        let own = known.unwrap_or_else(|| {
            let mut own: String =
                name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
            if own.is_empty() {
                "value".clone_into(&mut own);
            }
            while self.variables.iter().any(|variable| variable.name == own)
                || extras.iter().any(|extra| extra.name == own)
            {
                own.push('_');
            }
            extras.push(ExtraVariable { name: own.clone(), file, path: path.clone(), secret });
            own
        });
        HclValue::unknown(Unknown { action: call("user", own), known: None, scalar: Scalar::Text, secret, name: path })
    }
}
