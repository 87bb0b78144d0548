//! Evaluates expressions. Hand-written, since hcl-rs evaluates only fully known values.

use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, ForExpr, Traversal, TraversalOperator};
use indexmap::IndexMap;

use super::error::{EvalError, EvalResult};
use super::number::Number;
use super::scope::Scope;
use super::value::{HclValue, Scalar, Unknown};
use super::{function, operate, reference, template};
use crate::template::call;
use crate::template::parse::Pipeline;

/// The value of an expression.
pub(super) fn evaluate(scope: &Scope, expr: &Expression) -> EvalResult<HclValue> {
    Ok(match expr {
        Expression::Null(_) => HclValue::Null,
        Expression::Bool(value) => HclValue::Bool(*value.value()),
        Expression::Number(value) => {
            // Uses the text as written: a 64-bit float is not exact.
            let written = value.as_repr().and_then(|written| Number::parse(written));
            let number = written.unwrap_or_else(|| value.value().as_f64().unwrap_or_default().into());
            HclValue::Number(number)
        }
        Expression::String(value) => HclValue::text(value.value().as_str()),
        Expression::Array(items) => {
            HclValue::List(items.iter().map(|item| scope.eval(item)).collect::<EvalResult<_>>()?)
        }
        Expression::Object(entries) => {
            let mut map = IndexMap::new();
            for (key, value) in entries {
                map.insert(scope.key(key)?, scope.eval(value.expr())?);
            }
            HclValue::Map(map)
        }
        Expression::StringTemplate(text) => template::value(scope, &text.iter().collect::<Vec<_>>())?,
        Expression::HeredocTemplate(text) => template::value(scope, &text.template.iter().collect::<Vec<_>>())?,
        Expression::Parenthesis(inner) => scope.eval(inner.inner())?,
        Expression::Variable(name) => match own(scope, name.as_str())? {
            Some(value) => value,
            None => return Err(not_found(scope, name.as_str(), expr.span())),
        },
        Expression::Conditional(all) => {
            let condition = scope.eval(&all.cond_expr)?;
            let branch = if scope.truth(&condition, all.cond_expr.span())? { &all.true_expr } else { &all.false_expr };
            scope.eval(branch)?
        }
        Expression::FuncCall(call) => function::call(scope, call, expr.span())?,
        Expression::Traversal(traversal) => self::traversal(scope, traversal, expr.span())?,
        Expression::UnaryOp(op) => operate::unary(scope, op, expr.span())?,
        Expression::BinaryOp(op) => operate::binary(scope, op, expr.span())?,
        Expression::ForExpr(all) => for_each(scope, all)?,
    })
}

/// The value of a name that a `for` expression or a `dynamic` block defines.
fn own(scope: &Scope, name: &str) -> EvalResult<Option<HclValue>> {
    let Some((_, value)) = scope.own.iter().rev().find(|(own, _)| own == name) else { return Ok(None) };
    scope.module.spend(value.size())?;
    Ok(Some(HclValue::clone(value)))
}

fn not_found(scope: &Scope, name: &str, span: Option<Range<usize>>) -> EvalError {
    let help = "References start with `var.`, `local.`, `data.`, `source.`, `build.` or `path.`.";
    EvalError::invalid(scope.file, span, format!("`{name}` is not defined"), help)
}

fn traversal(scope: &Scope, traversal: &Traversal, span: Option<Range<usize>>) -> EvalResult<HclValue> {
    let operators: Vec<&TraversalOperator> = traversal.operators.iter().map(hcl_edit::Decorated::value).collect();
    let Expression::Variable(root) = &traversal.expr else {
        let value = scope.eval(&traversal.expr)?;
        return walk(scope, value, &operators, span);
    };
    if let Some(value) = own(scope, root.as_str())? {
        return walk(scope, value, &operators, span);
    }
    let name = |index: usize| match operators.get(index) {
        Some(TraversalOperator::GetAttr(name)) => Some(name.as_str()),
        _ => None,
    };
    let (value, used) = match (root.as_str(), name(0)) {
        ("var", Some(name)) => (reference::variable(scope, name, span.clone())?, 1),
        ("local", Some(name)) => (reference::local(scope, name, span.clone())?, 1),
        ("data", _) => {
            // `data.amazon-ami[var.os].id`: each part may be an index.
            let part = |index: usize| match operators.get(index) {
                Some(TraversalOperator::GetAttr(name)) => Ok(Some(name.as_str().to_owned())),
                Some(TraversalOperator::Index(index)) => {
                    let index = scope.eval(index)?;
                    scope.string(&index, span.clone()).map(Some)
                }
                _ => Ok(None),
            };
            let (Some(kind), Some(name), Some(field)) = (part(0)?, part(1)?, part(2)?) else {
                return Err(EvalError::unsupported("a data source as a whole is not supported as a value"));
            };
            let tag = match operators.get(3) {
                Some(_) if field == "tags" => part(3)?,
                _ => None,
            };
            let used = if tag.is_some() { 4 } else { 3 };
            (reference::data(scope, &kind, &name, &field, tag.as_deref(), span.clone())?, used)
        }
        ("source", Some(field @ ("name" | "type"))) => {
            let Some((kind, name)) = &scope.source else {
                return Err(scope.invalid(span, "`source` is only defined inside a `source` or a `build` block"));
            };
            (HclValue::text(if field == "name" { name } else { kind }), 1)
        }
        ("build", Some("name")) => match &scope.build {
            Some(name) => (HclValue::text(name), 1),
            None => return Err(scope.invalid(span, "`build` is only defined inside a `build` block")),
        },
        ("build", Some(field)) => (build_value(call("build", field), &format!("build.{field}")), 1),
        ("path", Some("root")) => (HclValue::text(scope.module.paths.input.to_string_lossy()), 1),
        ("path", Some("cwd")) => (HclValue::text("."), 1),
        ("packer", _) => return Err(EvalError::unsupported("`packer` has no counterpart")),
        (other, _) => return Err(not_found(scope, other, span)),
    };
    walk(scope, value, &operators[used..], span)
}

/// A field of `build`.
fn build_value(action: Pipeline, name: &str) -> HclValue {
    let name = name.to_owned();
    HclValue::unknown(Unknown { action, known: None, scalar: Scalar::Text, secret: false, name })
}

/// Applies field access, indices and splats to a value.
fn walk(
    scope: &Scope,
    value: HclValue,
    operators: &[&TraversalOperator],
    span: Option<Range<usize>>,
) -> EvalResult<HclValue> {
    let Some((first, rest)) = operators.split_first() else { return Ok(value) };
    let next = match first {
        TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_) => {
            let items = match value {
                HclValue::List(items) => items,
                HclValue::Null => Vec::new(),
                other => vec![other],
            };
            let items = items.into_iter().map(|item| walk(scope, item, rest, span.clone()));
            return Ok(HclValue::List(items.collect::<EvalResult<_>>()?));
        }
        TraversalOperator::GetAttr(name) => field(scope, &value, &HclValue::text(name.as_str()), span.clone())?,
        TraversalOperator::Index(index) => {
            let index = scope.eval(index)?;
            field(scope, &value, &index, span.clone())?
        }
        TraversalOperator::LegacyIndex(index) => {
            #[expect(clippy::cast_precision_loss, reason = "no list is that long")]
            let index = HclValue::number(*index.value() as f64);
            field(scope, &value, &index, span.clone())?
        }
    };
    walk(scope, next, rest, span)
}

fn field(scope: &Scope, value: &HclValue, index: &HclValue, span: Option<Range<usize>>) -> EvalResult<HclValue> {
    let index = scope.settle(index)?;
    match (value, &index) {
        (HclValue::List(items), _) => {
            let at = scope.number(&index, span.clone())?;
            let item = operate::whole(at).and_then(|at| items.get(at));
            item.cloned().ok_or_else(|| scope.invalid(span, format!("the list has {} items", items.len())))
        }
        (HclValue::Map(_), _) => {
            let key = scope.string(&index, span.clone())?;
            let found = value.get(&key).cloned();
            found.ok_or_else(|| scope.invalid(span, format!("the map has no key `{key}`")))
        }
        _ => Err(scope.invalid(span, format!("expected a list or map, found {}", value.describe()))),
    }
}

fn for_each(scope: &Scope, all: &ForExpr) -> EvalResult<HclValue> {
    let collection = scope.eval(&all.intro.collection_expr)?;
    let pairs = scope.pairs(&collection, all.intro.collection_expr.span())?;
    let key_name = all.intro.key_var.as_ref().map(|name| name.as_str().to_owned());
    let value_name = all.intro.value_var.as_str();
    let mut list = Vec::new();
    let mut map: IndexMap<String, HclValue> = IndexMap::new();
    for (key, value) in pairs {
        scope.module.spend(1 + value.size())?;
        let mut names = vec![(value_name.to_owned(), value)];
        names.extend(key_name.clone().map(|name| (name, key)));
        let inner = scope.with(names);
        if let Some(condition) = &all.cond {
            let truth = inner.eval(&condition.expr)?;
            if !inner.truth(&truth, condition.expr.span())? {
                scope.note(inner.take_notes());
                continue;
            }
        }
        let value = inner.eval(&all.value_expr)?;
        match &all.key_expr {
            None => list.push(value),
            Some(expr) => {
                let key = inner.eval(expr)?;
                let key = inner.string(&key, expr.span())?;
                if all.grouping {
                    match map.get_mut(&key) {
                        Some(HclValue::List(items)) => items.push(value),
                        _ => _ = map.insert(key, HclValue::List(vec![value])),
                    }
                } else {
                    map.insert(key, value);
                }
            }
        }
        scope.note(inner.take_notes());
    }
    Ok(if all.key_expr.is_some() { HclValue::Map(map) } else { HclValue::List(list) })
}
