//! Evaluates operators.

use std::ops::Range;

use ami_bake_manifest::budget::STEP;
use hcl_edit::Span;
use hcl_edit::expr::{BinaryOp, BinaryOperator, Expression, UnaryOp, UnaryOperator};

use super::error::EvalResult;
use super::number::Number;
use super::scope::Scope;
use super::value::HclValue;

/// A number as an index.
pub(super) fn whole(number: f64) -> Option<usize> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked before")]
    (number >= 0.0 && number.fract() == 0.0 && number < 1e9).then_some(number as usize)
}

pub(super) fn unary(scope: &Scope, op: &UnaryOp, span: Option<Range<usize>>) -> EvalResult<HclValue> {
    let value = scope.eval(&op.expr)?;
    Ok(match op.operator.value() {
        UnaryOperator::Neg => {
            let zero = Number::Whole(0);
            HclValue::Number(zero.compute(scope.exact(&value, span)?, i128::checked_sub, |a, b| a - b))
        }
        UnaryOperator::Not => HclValue::Bool(!scope.truth(&value, span)?),
    })
}

/// Evaluates a chain of operators iteratively, from its first value on: `a + b + c` does not count as nesting.
pub(super) fn binary(scope: &Scope, op: &BinaryOp, span: Option<Range<usize>>) -> EvalResult<HclValue> {
    let mut chain = vec![(op, span)];
    let mut first = &op.lhs_expr;
    while let Expression::BinaryOp(inner) = first {
        chain.push((inner, first.span()));
        first = &inner.lhs_expr;
    }
    let mut value = scope.eval(first)?;
    for (op, span) in chain.into_iter().rev() {
        scope.module.spend(STEP)?;
        value = operated(scope, &value, op, span)?;
    }
    Ok(value)
}

/// Applies an operator whose left side is known.
fn operated(scope: &Scope, left: &HclValue, op: &BinaryOp, span: Option<Range<usize>>) -> EvalResult<HclValue> {
    use BinaryOperator as Op;
    let operator = *op.operator.value();
    // If the left side decides, the right side needs no value.
    if matches!(operator, Op::And | Op::Or) {
        let first = scope.truth(left, op.lhs_expr.span())?;
        if first == (operator == Op::Or) {
            return Ok(HclValue::Bool(first));
        }
        let right = scope.eval(&op.rhs_expr)?;
        return Ok(HclValue::Bool(scope.truth(&right, op.rhs_expr.span())?));
    }
    let right = scope.eval(&op.rhs_expr)?;
    if matches!(operator, Op::Eq | Op::NotEq) {
        return Ok(HclValue::Bool(same(&scope.settle(left)?, &scope.settle(&right)?) == (operator == Op::Eq)));
    }
    let (a, b) = (scope.exact(left, op.lhs_expr.span())?, scope.exact(&right, op.rhs_expr.span())?);
    if matches!(operator, Op::Div | Op::Mod) && b == Number::Whole(0) {
        return Err(scope.invalid(span, "division by zero"));
    }
    Ok(match operator {
        Op::LessEq => HclValue::Bool(a.order(b).is_le()),
        Op::GreaterEq => HclValue::Bool(a.order(b).is_ge()),
        Op::Less => HclValue::Bool(a.order(b).is_lt()),
        Op::Greater => HclValue::Bool(a.order(b).is_gt()),
        Op::Plus => HclValue::Number(a.compute(b, i128::checked_add, |a, b| a + b)),
        Op::Minus => HclValue::Number(a.compute(b, i128::checked_sub, |a, b| a - b)),
        Op::Mul => HclValue::Number(a.compute(b, i128::checked_mul, |a, b| a * b)),
        Op::Div => HclValue::Number(a.divided(b)),
        Op::Mod => HclValue::Number(a.compute(b, i128::checked_rem, |a, b| a % b)),
        Op::Eq | Op::NotEq | Op::And | Op::Or => HclValue::Null,
    })
}

/// Whether two settled values are equal, whatever the order of maps.
pub(super) fn same(a: &HclValue, b: &HclValue) -> bool {
    match (a, b) {
        (HclValue::Map(a), HclValue::Map(other)) => {
            a.len() == other.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|b| same(value, b)))
        }
        (HclValue::List(a), HclValue::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        _ => a == b,
    }
}
