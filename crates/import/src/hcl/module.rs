//! What the files of a template declare, evaluated when it is asked for.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;

use hcl_edit::expr::Expression;
use hcl_edit::structure::Body;
use jiff::Timestamp;

use super::evaluate::Scope;
use super::fault::{Fault, Outcome};
use super::value::{Live, Piece, Scalar, Text, Value};
use super::variable::Variable;
use crate::credential;
use crate::paths::Paths;

/// All that a template declares.
pub(super) struct Module<'a> {
    pub(super) variables: Vec<Variable<'a>>,
    pub(super) locals: Vec<Local<'a>>,
    pub(super) data: Vec<Data<'a>>,
    /// Values that the bake must be given and that no variable of the template stands for.
    pub(super) extras: RefCell<Vec<Extra>>,
    pub(super) paths: &'a Paths,
    pub(super) now: Option<Timestamp>,
    pub(super) environment: &'a BTreeMap<String, String>,
    /// Locals that are being evaluated, against circles.
    open: RefCell<Vec<String>>,
    depth: Cell<usize>,
    budget: Cell<usize>,
}

/// `locals` and `local`.
pub(super) struct Local<'a> {
    pub(super) name: String,
    pub(super) file: usize,
    pub(super) expr: &'a Expression,
    pub(super) sensitive: bool,
    pub(super) used: Cell<bool>,
    pub(super) cache: RefCell<Option<Cached>>,
}

/// What came of a local, with its notes.
type Cached = Outcome<(Value, Vec<String>)>;

/// `data`
pub(super) struct Data<'a> {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) file: usize,
    pub(super) body: &'a Body,
    pub(super) used: Cell<bool>,
}

/// A value that the bake must be given.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Extra {
    /// The variable that stands for it.
    pub(super) name: String,
    pub(super) file: usize,
    /// Its path in the template.
    pub(super) path: String,
    pub(super) secret: bool,
}

/// Stands where a data source would, for values that must not be copied.
pub(super) const HIDDEN: &str = "(sensitive)";

/// Deeper than any template, and shallow enough for every stack.
const DEPTH: usize = 100;
/// Steps and bytes of one import.
const BUDGET: usize = 32 << 20;

impl<'a> Module<'a> {
    pub(super) fn new(paths: &'a Paths, now: Option<Timestamp>, environment: &'a BTreeMap<String, String>) -> Self {
        Self {
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

    /// Goes one level down; `leave` comes up again.
    pub(super) fn enter(&self) -> Outcome<()> {
        if self.depth.get() >= DEPTH {
            return Err(Fault::trouble("the expression nests too deep"));
        }
        self.depth.set(self.depth.get() + 1);
        self.spend(1)
    }

    pub(super) fn leave(&self) {
        self.depth.set(self.depth.get().saturating_sub(1));
    }

    /// Takes steps or bytes off what an import may use.
    pub(super) fn spend(&self, amount: usize) -> Outcome<()> {
        match self.budget.get().checked_sub(amount) {
            Some(rest) => {
                self.budget.set(rest);
                Ok(())
            }
            None => Err(Fault::trouble("the template's values become too large to be written out")),
        }
    }

    /// `local.NAME`
    pub(super) fn local(&self, scope: &Scope, name: &str, span: Option<Range<usize>>) -> Outcome<Value> {
        let Some(local) = self.locals.iter().find(|local| local.name == name) else {
            let help = "Declare it in a `locals` block.";
            return Err(Fault::wrong(scope.file, span, format!("there is no local `{name}`"), help));
        };
        local.used.set(true);
        if local.cache.borrow().is_none() {
            if self.open.borrow().iter().any(|open| open == name) {
                let message = format!("the local `{name}` is made of itself");
                return Err(Fault::wrong(scope.file, span, message, "Take one of the references out."));
            }
            self.open.borrow_mut().push(name.to_owned());
            let inner = Scope::new(self, local.file);
            let outcome = inner.eval(local.expr).map(|value| (self.guarded(local, value), inner.take_notes()));
            self.open.borrow_mut().pop();
            *local.cache.borrow_mut() = Some(outcome);
        }
        let cached = local.cache.borrow().clone();
        let (value, notes) = cached.unwrap_or_else(|| Err(Fault::trouble("it has no value")))?;
        self.spend(value.size())?;
        scope.note(notes);
        Ok(value)
    }

    /// A local whose value must not be copied becomes a secret.
    fn guarded(&self, local: &Local, value: Value) -> Value {
        let fixed = |value: &Value| value.to_text().and_then(|text| text.literal());
        let named = credential::named(&local.name)
            && fixed(&value).is_some_and(|text| !text.is_empty() && text != "true" && text != "false");
        if !(local.sensitive || named) {
            return value;
        }
        match &value {
            // It is made of a secret already.
            Value::Text(text) if text.0.iter().any(|piece| matches!(piece, Piece::Live(live) if live.secret)) => value,
            Value::Text(_) | Value::Number(_) => {
                self.extra(&local.name, local.file, format!("local.{}", local.name), true)
            }
            Value::List(_) | Value::Map(_) if local.sensitive => hidden(&value, &format!("local.{}", local.name)),
            _ => value,
        }
    }

    /// A value that the bake must be given, as a variable of its own.
    pub(super) fn extra(&self, name: &str, file: usize, path: String, secret: bool) -> Value {
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
            extras.push(Extra { name: own.clone(), file, path: path.clone(), secret });
            own
        });
        Value::Text(Text(vec![Piece::Live(Live {
            template: format!("{{{{user `{own}`}}}}"),
            known: None,
            scalar: Scalar::Text,
            secret,
            name: path,
        })]))
    }
}

/// A list or map whose values must not be copied: each stands for a secret that can't be used.
pub(super) fn hidden(value: &Value, name: &str) -> Value {
    match value {
        Value::List(items) => Value::List(items.iter().map(|item| hidden(item, name)).collect()),
        Value::Map(entries) => Value::Map(
            entries.iter().map(|(key, value)| (key.clone(), hidden(value, &format!("{name}.{key}")))).collect(),
        ),
        Value::Null => Value::Null,
        _ => Value::Text(Text(vec![Piece::Data { name: HIDDEN.to_owned(), field: name.to_owned() }])),
    }
}
