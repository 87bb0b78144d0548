//! The arguments of a function call.

use std::ops::Range;

use indexmap::IndexMap;

use crate::hcl::error::{EvalError, EvalResult};
use crate::hcl::number::Number;
use crate::hcl::scope::Scope;
use crate::hcl::value::{HclValue, Text};

/// The arguments of a call, and its location.
pub(super) struct Arguments<'s, 'm, 'a> {
    pub(super) scope: &'s Scope<'m, 'a>,
    pub(super) name: String,
    pub(super) values: Vec<HclValue>,
    pub(super) span: Option<Range<usize>>,
}

impl Arguments<'_, '_, '_> {
    pub(super) fn invalid(&self, why: &str) -> EvalError {
        self.scope.invalid(self.span.clone(), format!("`{}`: {why}", self.name))
    }

    /// Takes the cost of `count` results of `bytes` each off the budget, before they are created.
    pub(super) fn spend(&self, count: usize, bytes: usize) -> EvalResult<()> {
        Ok(self.scope.module.budget.spend_each(count, bytes)?)
    }

    pub(super) fn get(&self, index: usize) -> EvalResult<&HclValue> {
        self.values.get(index).ok_or_else(|| self.invalid("an argument is missing"))
    }

    /// A text argument, parts of which may be unknown.
    pub(super) fn text(&self, index: usize) -> EvalResult<Text> {
        let value = self.get(index)?;
        value.to_text().ok_or_else(|| self.invalid(&format!("expected a string, found {}", value.describe())))
    }

    /// The value of a text argument during the import.
    pub(super) fn string(&self, index: usize) -> EvalResult<String> {
        self.scope.string(self.get(index)?, self.span.clone())
    }

    pub(super) fn number(&self, index: usize) -> EvalResult<f64> {
        self.scope.number(self.get(index)?, self.span.clone())
    }

    /// A number, exact if it is whole.
    pub(super) fn exact(&self, index: usize) -> EvalResult<Number> {
        self.scope.exact(self.get(index)?, self.span.clone())
    }

    pub(super) fn list(&self, index: usize) -> EvalResult<Vec<HclValue>> {
        match self.get(index)? {
            HclValue::List(items) => Ok(items.clone()),
            other => Err(self.invalid(&format!("expected a list, found {}", other.describe()))),
        }
    }

    pub(super) fn map(&self, index: usize) -> EvalResult<IndexMap<String, HclValue>> {
        match self.get(index)? {
            HclValue::Map(entries) => Ok(entries.clone()),
            other => Err(self.invalid(&format!("expected a map, found {}", other.describe()))),
        }
    }

    pub(super) fn settled(&self, index: usize) -> EvalResult<HclValue> {
        self.scope.settle(self.get(index)?)
    }
}
