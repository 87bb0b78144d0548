//! Operators, and the conversions that they ask for.

use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::{BinaryOp, BinaryOperator, UnaryOp, UnaryOperator};

use super::evaluate::Scope;
use super::fault::Outcome;
use super::value::Value;

/// A truth value as the template stands.
pub(super) fn truth(scope: &Scope, value: &Value, span: Option<Range<usize>>) -> Outcome<bool> {
    let settled = scope.settle(value)?;
    match &settled {
        Value::Bool(value) => return Ok(*value),
        Value::Text(text) => match text.literal().as_deref() {
            Some("true") => return Ok(true),
            Some("false") => return Ok(false),
            _ => {}
        },
        _ => {}
    }
    Err(scope.wrong(span, format!("true or false is needed here, and this is {}", settled.kind())))
}

/// A number as the template stands.
pub(super) fn number(scope: &Scope, value: &Value, span: Option<Range<usize>>) -> Outcome<f64> {
    let settled = scope.settle(value)?;
    match &settled {
        Value::Number(number) => return Ok(*number),
        Value::Text(text) => {
            if let Some(number) = text.literal().and_then(|text| text.trim().parse().ok()) {
                return Ok(number);
            }
        }
        _ => {}
    }
    Err(scope.wrong(span, format!("a number is needed here, and this is {}", settled.kind())))
}

/// A number as the place of an item.
pub(super) fn whole(number: f64) -> Option<usize> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was looked at")]
    (number >= 0.0 && number.fract() == 0.0 && number < 1e9).then_some(number as usize)
}

pub(super) fn unary(scope: &Scope, op: &UnaryOp, span: Option<Range<usize>>) -> Outcome<Value> {
    let value = scope.eval(&op.expr)?;
    Ok(match op.operator.value() {
        UnaryOperator::Neg => Value::Number(-number(scope, &value, span)?),
        UnaryOperator::Not => Value::Bool(!truth(scope, &value, span)?),
    })
}

pub(super) fn binary(scope: &Scope, op: &BinaryOp, span: Option<Range<usize>>) -> Outcome<Value> {
    use BinaryOperator as Op;
    let operator = *op.operator.value();
    let left = scope.eval(&op.lhs_expr)?;
    // Both sides are evaluated, but what the first one decides needs no value of the second.
    if matches!(operator, Op::And | Op::Or) {
        let first = truth(scope, &left, op.lhs_expr.span())?;
        if first == (operator == Op::Or) {
            return Ok(Value::Bool(first));
        }
        let right = scope.eval(&op.rhs_expr)?;
        return Ok(Value::Bool(truth(scope, &right, op.rhs_expr.span())?));
    }
    let right = scope.eval(&op.rhs_expr)?;
    if matches!(operator, Op::Eq | Op::NotEq) {
        return Ok(Value::Bool(same(&scope.settle(&left)?, &scope.settle(&right)?) == (operator == Op::Eq)));
    }
    let (a, b) = (number(scope, &left, op.lhs_expr.span())?, number(scope, &right, op.rhs_expr.span())?);
    if matches!(operator, Op::Div | Op::Mod) && b == 0.0 {
        return Err(scope.wrong(span, "this divides by zero"));
    }
    Ok(match operator {
        Op::LessEq => Value::Bool(a <= b),
        Op::GreaterEq => Value::Bool(a >= b),
        Op::Less => Value::Bool(a < b),
        Op::Greater => Value::Bool(a > b),
        Op::Plus => Value::Number(a + b),
        Op::Minus => Value::Number(a - b),
        Op::Mul => Value::Number(a * b),
        Op::Div => Value::Number(a / b),
        Op::Mod => Value::Number(a % b),
        Op::Eq | Op::NotEq | Op::And | Op::Or => Value::Null,
    })
}

/// Whether two settled values are equal, the order of maps set apart.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Map(a), Value::Map(other)) => {
            a.len() == other.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|b| same(value, b)))
        }
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        _ => a == b,
    }
}
