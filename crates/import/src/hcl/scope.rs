//! The scope in which an expression is evaluated.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, ObjectKey};

use super::error::{EvalError, EvalResult};
use super::module::Module;
use super::number::Number;
use super::value::HclValue;

/// The scope in which an expression is evaluated.
pub(super) struct Scope<'m, 'a> {
    pub(super) module: &'m Module<'a>,
    /// Index of the file.
    pub(super) file: usize,
    /// Names defined by `for` expressions and `dynamic` blocks, innermost last.
    pub(super) own: Vec<(String, Rc<HclValue>)>,
    /// Type and name of the source that a build runs for.
    pub(super) source: Option<(String, String)>,
    /// The name of the `build` block; empty when it has none.
    pub(super) build: Option<String>,
    /// Notes about values that were fixed during the import.
    notes: RefCell<Vec<String>>,
}

impl<'m, 'a> Scope<'m, 'a> {
    pub(super) fn new(module: &'m Module<'a>, file: usize) -> Self {
        Self { module, file, own: Vec::new(), source: None, build: None, notes: RefCell::default() }
    }

    /// The same scope with further names.
    pub(super) fn with(&self, names: Vec<(String, HclValue)>) -> Self {
        let mut own = self.own.clone();
        own.extend(names.into_iter().map(|(name, value)| (name, Rc::new(value))));
        Self {
            module: self.module,
            file: self.file,
            own,
            source: self.source.clone(),
            build: self.build.clone(),
            notes: RefCell::default(),
        }
    }

    pub(super) fn note(&self, notes: Vec<String>) {
        let mut all = self.notes.borrow_mut();
        for note in notes {
            if !all.contains(&note) {
                all.push(note);
            }
        }
    }

    pub(super) fn take_notes(&self) -> Vec<String> {
        self.notes.take()
    }

    /// Evaluates an expression.
    pub(super) fn eval(&self, expr: &Expression) -> EvalResult<HclValue> {
        let evaluated = self.module.budget.deeper(|| {
            let value = (self.module.evaluate)(self, expr)?;
            if let HclValue::Text(_) = &value {
                self.module.spend(value.size())?;
            }
            Ok(value)
        });
        evaluated.map_err(|error: EvalError| error.at(self.file, expr.span()))
    }

    /// The key of an object's entry: a bare name is a string.
    pub(super) fn key(&self, key: &ObjectKey) -> EvalResult<String> {
        match key {
            ObjectKey::Ident(name) | ObjectKey::Expression(Expression::Variable(name)) => Ok(name.as_str().to_owned()),
            ObjectKey::Expression(expr) => {
                let value = self.eval(expr)?;
                self.string(&value, expr.span())
            }
        }
    }

    /// An error in the template, in this file.
    pub(super) fn invalid(&self, span: Option<Range<usize>>, message: impl Into<String>) -> EvalError {
        EvalError::invalid(self.file, span, message, "")
    }

    /// The value during the import; a note is added if it could change later.
    pub(super) fn settle(&self, value: &HclValue) -> EvalResult<HclValue> {
        let mut notes = Vec::new();
        let settled = value.settle(&mut notes)?;
        self.note(notes);
        Ok(settled)
    }

    /// The text of a scalar during the import; a note is added if it could change later.
    pub(super) fn string(&self, value: &HclValue, span: Option<Range<usize>>) -> EvalResult<String> {
        let settled = self.settle(value)?;
        let text = settled.to_text().and_then(|text| text.literal());
        text.ok_or_else(|| self.invalid(span, format!("expected a string, found {}", value.describe())))
    }

    /// A boolean during the import; a note is added if it could change later.
    pub(super) fn truth(&self, value: &HclValue, span: Option<Range<usize>>) -> EvalResult<bool> {
        let settled = self.settle(value)?;
        match &settled {
            HclValue::Bool(value) => return Ok(*value),
            HclValue::Text(text) => match text.literal().as_deref() {
                Some("true") => return Ok(true),
                Some("false") => return Ok(false),
                _ => {}
            },
            _ => {}
        }
        Err(self.invalid(span, format!("expected true or false, found {}", settled.describe())))
    }

    /// A number during the import as a float; a note is added if it could change later.
    pub(super) fn number(&self, value: &HclValue, span: Option<Range<usize>>) -> EvalResult<f64> {
        self.exact(value, span).map(Number::to_f64)
    }

    /// A number during the import; a note is added if it could change later.
    pub(super) fn exact(&self, value: &HclValue, span: Option<Range<usize>>) -> EvalResult<Number> {
        let settled = self.settle(value)?;
        match &settled {
            HclValue::Number(number) => return Ok(*number),
            HclValue::Text(text) => {
                if let Some(number) = text.literal().and_then(|text| Number::parse(text.trim())) {
                    return Ok(number);
                }
            }
            _ => {}
        }
        Err(self.invalid(span, format!("expected a number, found {}", settled.describe())))
    }

    /// Keys and values of a collection, in the order in which HCL iterates over it.
    pub(super) fn pairs(&self, value: &HclValue, span: Option<Range<usize>>) -> EvalResult<Vec<(HclValue, HclValue)>> {
        #[expect(clippy::cast_precision_loss, reason = "no list is that long")]
        let index = |at: usize| HclValue::number(at as f64);
        match value {
            HclValue::List(items) => Ok(items.iter().enumerate().map(|(at, item)| (index(at), item.clone())).collect()),
            HclValue::Map(entries) => {
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_by(|a, b| a.0.cmp(b.0));
                Ok(entries.into_iter().map(|(key, value)| (HclValue::text(key.as_str()), value.clone())).collect())
            }
            HclValue::Text(text) if text.literal().is_none() => {
                Err(EvalError::unsupported("it iterates over a list or map that is only known during the bake"))
            }
            other => Err(self.invalid(span, format!("expected a list or map, found {}", other.describe()))),
        }
    }
}
