//! Evaluates expressions.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::tree::{Access, Expr, ExprKind, Head, Operator};
use super::value;
use crate::access::VisibleEnv;
use crate::budget::{Budget, Exceeded, STEP};
use crate::diagnostic::PrivateValues;

/// The values of names. A context that is both a value and has members, such as `version`, has its value under the
/// empty key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// The part that scopes share: cloning a scope for a variant only copies the variant's own names.
    shared: Arc<Map<String, Value>>,
    own: Map<String, Value>,
    /// The environment variables that may be read.
    env: Arc<VisibleEnv>,
    /// Names of variables with a private value: from a file or the environment.
    private_vars: Arc<BTreeSet<String>>,
    /// All private values.
    pub(crate) private: Arc<PrivateValues>,
}

impl Scope {
    /// Sets the value of a name.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.own.insert(name.to_owned(), value.into());
    }

    /// Moves all current names to the shared part.
    pub(crate) fn seal(&mut self) {
        let mut all = Map::clone(&self.shared);
        all.extend(std::mem::take(&mut self.own));
        self.shared = Arc::new(all);
    }

    /// Sets the environment variables that may be read.
    pub(crate) fn set_env(&mut self, env: &VisibleEnv) {
        self.set("env", env.visible().map(|(name, value)| (name.to_owned(), value.into())).collect::<Map<_, _>>());
        self.env = Arc::new(env.clone());
    }

    /// Sets the values of the variables.
    pub(crate) fn set_vars(&mut self, values: Map<String, Value>, private: BTreeSet<String>) {
        self.set("vars", values);
        self.private_vars = Arc::new(private);
    }

    /// The value of a variable, whatever the case of its name.
    pub(crate) fn var(&self, name: &str) -> Option<&Value> {
        let vars = self.own.get("vars").or_else(|| self.shared.get("vars"))?.as_object()?;
        vars.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Whether the value of a variable is private, whatever the case of its name.
    pub(crate) fn has_private_var(&self, name: &str) -> bool {
        self.private_vars.iter().any(|private| private.eq_ignore_ascii_case(name))
    }

    /// Whether the value of an expression depends on a private value.
    pub(crate) fn is_private(&self, expr: &Expr) -> bool {
        let mut private = false;
        expr.accesses(&mut |access| {
            private |= match access.context() {
                Some((context, _)) if context.eq_ignore_ascii_case("env") => true,
                Some((context, Some(name))) if context.eq_ignore_ascii_case("vars") => self.has_private_var(name),
                Some((context, None)) => context.eq_ignore_ascii_case("vars") && !self.private_vars.is_empty(),
                _ => false,
            };
        });
        private
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

/// Budget of one expression in bytes. No value of a manifest can be larger than its file, so a bomb is noticed at once.
const BUDGET: usize = 4 << 20;

/// The value of an expression. Unknown names are `null`; `check` reports them before.
pub(crate) fn evaluate(expr: &Expr, scope: &Scope) -> Result<Value, EvalError> {
    value_of(expr, scope, &Budget::new(BUDGET, usize::MAX))
}

fn value_of(expr: &Expr, scope: &Scope, budget: &Budget) -> Result<Value, EvalError> {
    let exceeded = |exceeded: Exceeded| EvalError { range: expr.range.clone(), message: exceeded.to_string() };
    budget.spend(STEP).map_err(exceeded)?;
    let value = part_value(expr, scope, budget)?;
    budget.spend(size(&value)).map_err(exceeded)?;
    Ok(value)
}

/// Size of a value in bytes.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| STEP + size(item)).sum(),
        Value::Object(map) => map.iter().map(|(key, value)| STEP + key.len() + size(value)).sum(),
        _ => 0,
    }
}

fn part_value(expr: &Expr, scope: &Scope, budget: &Budget) -> Result<Value, EvalError> {
    Ok(match &expr.kind {
        ExprKind::Null => Value::Null,
        ExprKind::Boolean(value) => (*value).into(),
        ExprKind::Number(number) => value::number(*number),
        ExprKind::Text(text) => text.as_str().into(),
        ExprKind::Not(inner) => (!value::truth(&value_of(inner, scope, budget)?)).into(),
        ExprKind::Binary(operator, left, right) => {
            binary(*operator, &value_of(left, scope, budget)?, &value_of(right, scope, budget)?)
        }
        ExprKind::Any(parts) => first(parts, true, scope, budget)?,
        ExprKind::All(parts) => first(parts, false, scope, budget)?,
        ExprKind::Call(function, arguments) => {
            let values: Result<Vec<Value>, EvalError> =
                arguments.iter().map(|argument| value_of(argument, scope, budget)).collect();
            function.apply(&values?, budget).map_err(|message| EvalError { range: expr.range.clone(), message })?
        }
        ExprKind::Access { head, path } => {
            let mut path = path.iter();
            let mut value = match head.as_ref() {
                // The first member is taken by reference: all of `env` may be large.
                Head::Name(name, _) => match (scope.get(name), path.as_slice().first()) {
                    (Some(Value::Object(map)), Some(Access::Member(member, _))) => {
                        path.next();
                        find(map, member).cloned().unwrap_or(Value::Null)
                    }
                    (found, _) => found.cloned().unwrap_or(Value::Null),
                },
                Head::Value(inner) => value_of(inner, scope, budget)?,
            };
            let env = matches!(head.as_ref(), Head::Name(name, _) if name.eq_ignore_ascii_case("env"));
            let mut spread = false;
            for (at, access) in path.enumerate() {
                value = match access {
                    Access::All => {
                        spread = true;
                        all(value)
                    }
                    Access::Member(name, _) => step(value, &Value::from(name.as_str()), spread),
                    Access::Index(index) => {
                        let key = value_of(index, scope, budget)?;
                        // Literal names were checked before.
                        if let Some(hidden) =
                            key.as_str().filter(|_| env && at == 0).and_then(|key| scope.env.hidden(key))
                        {
                            return Err(EvalError { range: index.range.clone(), message: hidden.message });
                        }
                        step(value, &key, spread)
                    }
                };
            }
            plain(value)
        }
    })
}

/// The first value whose truth is `truth`, else the last.
fn first(parts: &[Expr], truth: bool, scope: &Scope, budget: &Budget) -> Result<Value, EvalError> {
    let mut last = Value::Null;
    for part in parts {
        last = value_of(part, scope, budget)?;
        if value::truth(&last) == truth {
            break;
        }
    }
    Ok(last)
}

fn binary(operator: Operator, first: &Value, second: &Value) -> Value {
    let order = |wanted: fn(Ordering) -> bool| value::order(first, second).is_some_and(wanted).into();
    match operator {
        Operator::Equal => value::equal(first, second).into(),
        Operator::NotEqual => (!value::equal(first, second)).into(),
        Operator::Less => order(Ordering::is_lt),
        Operator::LessOrEqual => order(Ordering::is_le),
        Operator::Greater => order(Ordering::is_gt),
        Operator::GreaterOrEqual => order(Ordering::is_ge),
        // `Any` and `All` handle these operators.
        Operator::Or | Operator::And => Value::Null,
    }
}

/// Finds a name without case, as in GitHub; an exact match is preferred.
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
