//! Evaluates expressions.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::tree::{Access, Expr, ExprKind, Head, Operator};
use super::value;

/// The values of names. A context that is a value and has members, such as `version`, has its value under the empty
/// key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// The part that scopes share: cloning a scope for a variant only copies the variant's own names.
    shared: Arc<Map<String, Value>>,
    own: Map<String, Value>,
}

impl Scope {
    /// Sets the value of a name.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.own.insert(name.to_owned(), value.into());
    }

    /// Moves all names so far to the shared part.
    pub(crate) fn seal(&mut self) {
        let mut all = Map::clone(&self.shared);
        all.extend(std::mem::take(&mut self.own));
        self.shared = Arc::new(all);
    }

    fn get(&self, name: &str) -> Option<&Value> {
        find(&self.own, name).or_else(|| find(&self.shared, name))
    }
}

/// An error during evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EvalError {
    pub(crate) range: Range<usize>,
    pub(crate) message: String,
}

/// The value of an expression. Unknown names are `null`; `check` reports them before.
pub(crate) fn evaluate(expr: &Expr, scope: &Scope) -> Result<Value, EvalError> {
    Ok(match &expr.kind {
        ExprKind::Null => Value::Null,
        ExprKind::Boolean(value) => (*value).into(),
        ExprKind::Number(number) => value::number(*number),
        ExprKind::Text(text) => text.as_str().into(),
        ExprKind::Not(inner) => (!value::truth(&evaluate(inner, scope)?)).into(),
        ExprKind::Binary(operator, left, right) => binary(*operator, left, right, scope)?,
        ExprKind::Call(function, arguments) => {
            let values: Result<Vec<Value>, EvalError> =
                arguments.iter().map(|argument| evaluate(argument, scope)).collect();
            function.apply(&values?).map_err(|message| EvalError { range: expr.range.clone(), message })?
        }
        ExprKind::Access { head, path } => {
            let mut path = path.iter();
            let mut value = match head.as_ref() {
                // The first member is taken by reference: `env` alone may be large.
                Head::Name(name, _) => match (scope.get(name), path.as_slice().first()) {
                    (Some(Value::Object(map)), Some(Access::Member(member, _))) => {
                        path.next();
                        find(map, member).cloned().unwrap_or(Value::Null)
                    }
                    (found, _) => found.cloned().unwrap_or(Value::Null),
                },
                Head::Value(inner) => evaluate(inner, scope)?,
            };
            let mut spread = false;
            for access in path {
                value = match access {
                    Access::All => {
                        spread = true;
                        all(value)
                    }
                    Access::Member(name, _) => step(value, &Value::from(name.as_str()), spread),
                    Access::Index(index) => step(value, &evaluate(index, scope)?, spread),
                };
            }
            plain(value)
        }
    })
}

fn binary(operator: Operator, left: &Expr, right: &Expr, scope: &Scope) -> Result<Value, EvalError> {
    let first = evaluate(left, scope)?;
    match operator {
        Operator::Or if value::truth(&first) => return Ok(first),
        Operator::And if !value::truth(&first) => return Ok(first),
        _ => {}
    }
    let second = evaluate(right, scope)?;
    let order = |wanted: fn(Ordering) -> bool| value::order(&first, &second).is_some_and(wanted).into();
    Ok(match operator {
        Operator::Or | Operator::And => second,
        Operator::Equal => value::equal(&first, &second).into(),
        Operator::NotEqual => (!value::equal(&first, &second)).into(),
        Operator::Less => order(Ordering::is_lt),
        Operator::LessOrEqual => order(Ordering::is_le),
        Operator::Greater => order(Ordering::is_gt),
        Operator::GreaterOrEqual => order(Ordering::is_ge),
    })
}

/// Names are case-insensitive, as in GitHub; an exact match wins.
fn find<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    map.get(name).or_else(|| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

fn step(value: Value, index: &Value, spread: bool) -> Value {
    match (value, index) {
        (Value::Array(items), index) if spread => {
            items.into_iter().map(|item| step(item, index, false)).filter(|item| !item.is_null()).collect()
        }
        (Value::Array(items), Value::Number(number)) => {
            let position = number.as_u64().and_then(|position| usize::try_from(position).ok());
            position.and_then(|position| items.into_iter().nth(position)).unwrap_or(Value::Null)
        }
        (Value::Object(map), index) => {
            value::text(index).and_then(|name| find(&map, &name).cloned()).unwrap_or(Value::Null)
        }
        _ => Value::Null,
    }
}

fn all(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into(),
        Value::Object(map) => map.into_iter().filter(|(key, _)| !key.is_empty()).map(|(_, value)| value).collect(),
        _ => Value::Array(Vec::new()),
    }
}

fn plain(value: Value) -> Value {
    match value {
        Value::Object(mut map) if map.contains_key("") => map.remove("").unwrap_or(Value::Null),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use super::super::parser::parse;
    use super::*;
    use serde_json::json;

    fn eval(text: &str) -> Value {
        let scope = json!({
            "vars": { "nginx": "1.24", "list": ["a", "b"], "size": 8, "items": [{ "n": 1 }, { "n": 2 }] },
            "version": { "": "1.2.3-pr.4", "major": 1, "prerelease": "pr.4" },
        });
        let Value::Object(own) = scope else { unreachable!() };
        evaluate(&parse(text).unwrap(), &Scope { own, ..Scope::default() }).unwrap()
    }

    #[test]
    fn contexts_are_looked_into() {
        assert_eq!(eval("vars.nginx"), "1.24");
        assert_eq!(eval("VARS['nginx']"), "1.24");
        assert_eq!(eval("vars.size"), 8);
        assert_eq!(eval("vars.list[1]"), "b");
        assert_eq!(eval("vars.items.*.n"), json!([1, 2]));
        assert_eq!(eval("vars.nothing"), Value::Null);
        assert_eq!(eval("version"), "1.2.3-pr.4");
        assert_eq!(eval("version.major"), 1);
        assert_eq!(eval("!version.prerelease"), false);
    }

    #[test]
    fn functions_do_what_they_say() {
        assert_eq!(eval("join(vars.list, '-')"), "a-b");
        assert_eq!(eval("contains(vars.list, 'B')"), true);
        assert_eq!(eval("replace('a.b', '.', '-')"), "a-b");
        assert_eq!(eval("lower('ABC')"), "abc");
        assert_eq!(eval("split('a,b', ',')[1]"), "b");
        assert_eq!(eval("format('{0}:{1}', vars.nginx, vars.size)"), "1.24:8");
    }
}
