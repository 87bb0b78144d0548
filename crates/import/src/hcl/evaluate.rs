//! Expressions to values.

use std::cell::RefCell;
use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, ForExpr, ObjectKey, Traversal, TraversalOperator};

use super::fault::{Fault, Outcome};
use super::module::Module;
use super::value::{Live, Piece, Scalar, Text, Value};
use super::{function, operate, template};

/// Where an expression stands.
pub(super) struct Scope<'m, 'a> {
    pub(super) module: &'m Module<'a>,
    /// The number of its file.
    pub(super) file: usize,
    /// Names of `for` expressions and `dynamic` blocks, the innermost last.
    pub(super) own: Vec<(String, Value)>,
    /// Type and name of the source that a build runs for.
    pub(super) source: Option<(String, String)>,
    /// What is evaluated once.
    notes: RefCell<Vec<String>>,
}

impl<'m, 'a> Scope<'m, 'a> {
    pub(super) fn new(module: &'m Module<'a>, file: usize) -> Self {
        Self { module, file, own: Vec::new(), source: None, notes: RefCell::default() }
    }

    /// The same place with further names.
    pub(super) fn with(&self, names: Vec<(String, Value)>) -> Self {
        let mut own = self.own.clone();
        own.extend(names);
        Self { module: self.module, file: self.file, own, source: self.source.clone(), notes: RefCell::default() }
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

    /// A mistake of the template at a place of this file.
    pub(super) fn wrong(&self, span: Option<Range<usize>>, message: impl Into<String>) -> Fault {
        Fault::wrong(self.file, span, message, "")
    }

    /// The value as the template stands, noted.
    pub(super) fn settle(&self, value: &Value) -> Outcome<Value> {
        let mut notes = Vec::new();
        let settled = value.settle(&mut notes)?;
        self.note(notes);
        Ok(settled)
    }

    /// The text of a scalar as the template stands, noted.
    pub(super) fn string(&self, value: &Value, span: Option<Range<usize>>) -> Outcome<String> {
        let settled = self.settle(value)?;
        let text = settled.to_text().and_then(|text| text.literal());
        text.ok_or_else(|| self.wrong(span, format!("a text is needed here, and this is {}", value.kind())))
    }

    pub(super) fn eval(&self, expr: &Expression) -> Outcome<Value> {
        self.module.enter()?;
        let outcome = self.inner(expr);
        self.module.leave();
        let value = outcome?;
        if let Value::Text(_) = &value {
            self.module.spend(value.size())?;
        }
        Ok(value)
    }

    fn inner(&self, expr: &Expression) -> Outcome<Value> {
        Ok(match expr {
            Expression::Null(_) => Value::Null,
            Expression::Bool(value) => Value::Bool(*value.value()),
            Expression::Number(value) => Value::Number(value.value().as_f64().unwrap_or_default()),
            Expression::String(value) => Value::text(value.value().as_str()),
            Expression::Array(items) => Value::List(items.iter().map(|item| self.eval(item)).collect::<Outcome<_>>()?),
            Expression::Object(entries) => {
                let mut map: Vec<(String, Value)> = Vec::new();
                for (key, value) in entries {
                    set(&mut map, self.key(key)?, self.eval(value.expr())?);
                }
                Value::Map(map)
            }
            Expression::StringTemplate(text) => template::value(self, &text.iter().collect::<Vec<_>>())?,
            Expression::HeredocTemplate(text) => template::value(self, &text.template.iter().collect::<Vec<_>>())?,
            Expression::Parenthesis(inner) => self.eval(inner.inner())?,
            Expression::Variable(name) => match self.own(name.as_str()) {
                Some(value) => value,
                None => return Err(self.unknown(name.as_str(), expr.span())),
            },
            Expression::Conditional(all) => {
                let condition = self.eval(&all.cond_expr)?;
                let branch = if operate::truth(self, &condition, all.cond_expr.span())? {
                    &all.true_expr
                } else {
                    &all.false_expr
                };
                self.eval(branch)?
            }
            Expression::FuncCall(call) => function::call(self, call, expr.span())?,
            Expression::Traversal(traversal) => self.traversal(traversal, expr.span())?,
            Expression::UnaryOp(op) => operate::unary(self, op, expr.span())?,
            Expression::BinaryOp(op) => operate::binary(self, op, expr.span())?,
            Expression::ForExpr(all) => self.for_each(all)?,
        })
    }

    /// The key of an object's entry: a name stands for itself.
    pub(super) fn key(&self, key: &ObjectKey) -> Outcome<String> {
        match key {
            ObjectKey::Ident(name) | ObjectKey::Expression(Expression::Variable(name)) => Ok(name.as_str().to_owned()),
            ObjectKey::Expression(expr) => {
                let value = self.eval(expr)?;
                self.string(&value, expr.span())
            }
        }
    }

    fn own(&self, name: &str) -> Option<Value> {
        self.own.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.clone())
    }

    fn unknown(&self, name: &str, span: Option<Range<usize>>) -> Fault {
        let help = "Names begin with `var.`, `local.`, `data.`, `source.`, `build.` or `path.`.";
        Fault::wrong(self.file, span, format!("there is nothing called `{name}` here"), help)
    }

    fn traversal(&self, traversal: &Traversal, span: Option<Range<usize>>) -> Outcome<Value> {
        let operators: Vec<&TraversalOperator> = traversal.operators.iter().map(hcl_edit::Decorated::value).collect();
        let Expression::Variable(root) = &traversal.expr else {
            let value = self.eval(&traversal.expr)?;
            return self.walk(value, &operators, span);
        };
        if let Some(value) = self.own(root.as_str()) {
            return self.walk(value, &operators, span);
        }
        let name = |index: usize| match operators.get(index) {
            Some(TraversalOperator::GetAttr(name)) => Some(name.as_str()),
            _ => None,
        };
        let (value, used) = match (root.as_str(), name(0)) {
            ("var", Some(name)) => (self.module.variable(self, name, span.clone())?, 1),
            ("local", Some(name)) => (self.module.local(self, name, span.clone())?, 1),
            ("data", Some(kind)) => {
                let (Some(name), Some(field)) = (name(1), name(2)) else {
                    return Err(Fault::trouble("a data source as a whole is no value here"));
                };
                let tag = match operators.get(3) {
                    Some(TraversalOperator::GetAttr(tag)) if field == "tags" => Some(tag.as_str().to_owned()),
                    Some(TraversalOperator::Index(index)) if field == "tags" => {
                        let index = self.eval(index)?;
                        Some(self.string(&index, span.clone())?)
                    }
                    _ => None,
                };
                let used = if tag.is_some() { 4 } else { 3 };
                (self.module.datum(self, kind, name, field, tag.as_deref(), span.clone())?, used)
            }
            ("source", Some(field @ ("name" | "type"))) => {
                let Some((kind, name)) = &self.source else {
                    return Err(self.wrong(span, "`source` is known inside of a `build` block only"));
                };
                (Value::text(if field == "name" { name } else { kind }), 1)
            }
            ("build", Some("name")) => (live("{{build_name}}", "build.name"), 1),
            ("build", Some(field)) => (live(&format!("{{{{build `{field}`}}}}"), &format!("build.{field}")), 1),
            ("path", Some("root")) => (Value::text(self.module.paths.input.to_string_lossy()), 1),
            ("path", Some("cwd")) => (Value::text("."), 1),
            ("packer", _) => return Err(Fault::trouble("`packer` tells of Packer itself, which is not there")),
            (other, _) => return Err(self.unknown(other, span)),
        };
        self.walk(value, &operators[used..], span)
    }

    /// Fields, elements and splats of a value.
    fn walk(&self, value: Value, operators: &[&TraversalOperator], span: Option<Range<usize>>) -> Outcome<Value> {
        let Some((first, rest)) = operators.split_first() else { return Ok(value) };
        let next = match first {
            TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_) => {
                let items = match value {
                    Value::List(items) => items,
                    Value::Null => Vec::new(),
                    other => vec![other],
                };
                let items = items.into_iter().map(|item| self.walk(item, rest, span.clone()));
                return Ok(Value::List(items.collect::<Outcome<_>>()?));
            }
            TraversalOperator::GetAttr(name) => self.field(&value, &Value::text(name.as_str()), span.clone())?,
            TraversalOperator::Index(index) => {
                let index = self.eval(index)?;
                self.field(&value, &index, span.clone())?
            }
            TraversalOperator::LegacyIndex(index) => {
                #[expect(clippy::cast_precision_loss, reason = "no list is that long")]
                let index = Value::Number(*index.value() as f64);
                self.field(&value, &index, span.clone())?
            }
        };
        self.walk(next, rest, span)
    }

    fn field(&self, value: &Value, index: &Value, span: Option<Range<usize>>) -> Outcome<Value> {
        let index = self.settle(index)?;
        match (value, &index) {
            (Value::List(items), _) => {
                let at = operate::number(self, &index, span.clone())?;
                let item = operate::whole(at).and_then(|at| items.get(at));
                item.cloned().ok_or_else(|| self.wrong(span, format!("the list has {} items", items.len())))
            }
            (Value::Map(_), _) => {
                let key = self.string(&index, span.clone())?;
                let found = value.get(&key).cloned();
                found.ok_or_else(|| self.wrong(span, format!("the map has no entry `{key}`")))
            }
            _ => Err(self.wrong(span, format!("this is {}, which has no fields", value.kind()))),
        }
    }

    fn for_each(&self, all: &ForExpr) -> Outcome<Value> {
        let collection = self.eval(&all.intro.collection_expr)?;
        let pairs = self.pairs(&collection, all.intro.collection_expr.span())?;
        let key_name = all.intro.key_var.as_ref().map(|name| name.as_str().to_owned());
        let value_name = all.intro.value_var.as_str();
        let mut list = Vec::new();
        let mut map: Vec<(String, Value)> = Vec::new();
        for (key, value) in pairs {
            self.module.spend(1 + value.size())?;
            let mut names = vec![(value_name.to_owned(), value)];
            names.extend(key_name.clone().map(|name| (name, key)));
            let inner = self.with(names);
            if let Some(condition) = &all.cond {
                let truth = inner.eval(&condition.expr)?;
                if !operate::truth(&inner, &truth, condition.expr.span())? {
                    self.note(inner.take_notes());
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
                        match map.iter_mut().find(|(known, _)| *known == key) {
                            Some((_, Value::List(items))) => items.push(value),
                            _ => map.push((key, Value::List(vec![value]))),
                        }
                    } else {
                        set(&mut map, key, value);
                    }
                }
            }
            self.note(inner.take_notes());
        }
        Ok(if all.key_expr.is_some() { Value::Map(map) } else { Value::List(list) })
    }

    /// What a collection holds, in the order in which HCL goes through it.
    pub(super) fn pairs(&self, value: &Value, span: Option<Range<usize>>) -> Outcome<Vec<(Value, Value)>> {
        #[expect(clippy::cast_precision_loss, reason = "no list is that long")]
        let index = |at: usize| Value::Number(at as f64);
        match value {
            Value::List(items) => Ok(items.iter().enumerate().map(|(at, item)| (index(at), item.clone())).collect()),
            Value::Map(entries) => {
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_by(|a, b| a.0.cmp(&b.0));
                Ok(entries.into_iter().map(|(key, value)| (Value::text(key.as_str()), value.clone())).collect())
            }
            Value::Text(text) if text.literal().is_none() => {
                Err(Fault::trouble("it goes through a list or map that is not known before the bake"))
            }
            other => Err(self.wrong(span, format!("a list or map is needed here, and this is {}", other.kind()))),
        }
    }
}

/// Sets an entry of a map, which keeps its place.
pub(super) fn set(map: &mut Vec<(String, Value)>, key: String, value: Value) {
    match map.iter_mut().find(|(known, _)| *known == key) {
        Some((_, old)) => *old = value,
        None => map.push((key, value)),
    }
}

/// A value that only the bake knows.
pub(super) fn live(template: &str, name: &str) -> Value {
    Value::Text(Text(vec![Piece::Live(Live {
        template: template.to_owned(),
        known: None,
        scalar: Scalar::Text,
        secret: false,
        name: name.to_owned(),
    })]))
}
