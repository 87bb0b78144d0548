//! The declarations in the files of a template.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use ami_bake_manifest::access::VisibleEnv;
use ami_bake_manifest::budget::Budget;
use ami_bake_manifest::diagnostic::PrivateValues;
use hcl_edit::expr::Expression;
use hcl_edit::structure::Body;
use indexmap::IndexMap;
use jiff::Timestamp;
use regex::Regex;

use super::error::EvalResult;
use super::scope::Scope;
use super::value::{HclValue, Scalar, Unknown};
use super::variable::Variable;
use crate::paths::Paths;
use crate::template::call;

/// Evaluates an expression. A function pointer, since the modules of the language's parts evaluate further expressions.
pub(super) type Evaluate = fn(&Scope, &Expression) -> EvalResult<HclValue>;

/// Everything that a template declares.
pub(super) struct Module<'a> {
    pub(super) evaluate: Evaluate,
    /// Variables by name, in the order of the files.
    pub(super) variables: IndexMap<String, Variable<'a>>,
    pub(super) locals: IndexMap<String, Local<'a>>,
    /// Data sources by type and name.
    pub(super) data: IndexMap<(String, String), DataBlock<'a>>,
    /// Values that the bake must be given although they are not variables of the template, by their names.
    pub(super) extras: RefCell<IndexMap<String, ExtraVariable>>,
    /// Names of extra variables, by file and path.
    places: RefCell<HashMap<(usize, String), String>>,
    pub(super) paths: &'a Paths,
    pub(super) now: Option<Timestamp>,
    pub(super) environment: &'a VisibleEnv,
    /// Locals that are being evaluated, to detect cycles.
    pub(super) open: RefCell<Vec<String>>,
    pub(super) budget: Budget,
    /// What the author wrote beside the locals that the current field uses.
    pub(super) comments: RefCell<Vec<String>>,
    /// Values from files and the environment, which must not be shown.
    pub(super) private: Arc<PrivateValues>,
    /// Compiled patterns.
    pub(super) patterns: RefCell<HashMap<String, Regex>>,
}

/// An entry of `locals`, or a `local` block.
pub(super) struct Local<'a> {
    pub(super) name: String,
    pub(super) file: usize,
    pub(super) expr: &'a Expression,
    pub(super) sensitive: bool,
    /// What the author wrote beside it; taken by the first field that uses it.
    pub(super) comments: RefCell<Vec<String>>,
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
    pub(super) file: usize,
    /// Path of the variable in the template.
    pub(super) path: String,
    pub(super) secret: bool,
}

/// Maximum nesting of expressions: more than any template needs, and safe for the stack.
const DEPTH: usize = 100;
/// Budget of one import in bytes: a second of a release build at most. The largest templates of the corpus need a
/// hundredth.
const BUDGET: usize = 32 << 20;

impl<'a> Module<'a> {
    pub(super) fn new(
        evaluate: Evaluate,
        paths: &'a Paths,
        now: Option<Timestamp>,
        environment: &'a VisibleEnv,
        private: Arc<PrivateValues>,
    ) -> Self {
        Self {
            evaluate,
            variables: IndexMap::new(),
            locals: IndexMap::new(),
            data: IndexMap::new(),
            extras: RefCell::default(),
            places: RefCell::default(),
            paths,
            now,
            environment,
            open: RefCell::default(),
            budget: Budget::new(BUDGET, DEPTH),
            comments: RefCell::default(),
            private,
            patterns: RefCell::default(),
        }
    }

    /// Takes bytes off the budget of the import.
    pub(super) fn spend(&self, bytes: usize) -> EvalResult<()> {
        Ok(self.budget.spend(bytes)?)
    }

    /// The data source of a type and a name.
    pub(super) fn find_data(&self, kind: &str, name: &str) -> Option<&DataBlock<'a>> {
        self.data.get(&(kind.to_owned(), name.to_owned()))
    }

    /// A value that the bake must be given, as a variable of its own.
    pub(super) fn extra(&self, name: &str, file: usize, path: String, secret: bool) -> HclValue {
        let mut extras = self.extras.borrow_mut();
        let mut places = self.places.borrow_mut();
        let own = places.entry((file, path.clone())).or_insert_with(|| {
            let mut own: String =
                name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
            if own.is_empty() {
                "value".clone_into(&mut own);
            }
            while self.variables.contains_key(&own) || extras.contains_key(&own) {
                own.push('_');
            }
            extras.insert(own.clone(), ExtraVariable { file, path: path.clone(), secret });
            own
        });
        HclValue::unknown(Unknown {
            action: call("user", own.as_str()),
            known: None,
            scalar: Scalar::Text,
            secret,
            name: path,
        })
    }
}
