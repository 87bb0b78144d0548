//! GitHub's coercions, implemented by the crate `github-actions-expressions`.

use github_actions_expressions::Evaluation;
use serde_json::Value;

fn scalar(value: &Value) -> Evaluation {
    match value {
        // A list or map counts as "not a number" in comparisons.
        Value::Array(_) => Evaluation::Array(Vec::new()),
        Value::Object(_) => Evaluation::Object(std::collections::HashMap::new()),
        scalar => Evaluation::try_from(scalar.clone()).unwrap_or(Evaluation::Null),
    }
}

/// Whether a value counts as true.
pub(crate) fn truth(value: &Value) -> bool {
    scalar(value).as_boolean()
}

/// The operator `==`.
pub(crate) fn equal(left: &Value, right: &Value) -> bool {
    scalar(left).sema() == scalar(right).sema()
}

/// The order for `<` and similar operators; `None` when one side is not a number.
pub(super) fn order(left: &Value, right: &Value) -> Option<std::cmp::Ordering> {
    scalar(left).sema().partial_cmp(&scalar(right).sema())
}

/// The value as a string; `None` for lists and maps.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        Value::Array(_) | Value::Object(_) => None,
        other => Some(scalar(other).sema().to_string()),
    }
}

/// A number as JSON; integers without a decimal point.
pub(super) fn number(number: f64) -> Value {
    /// Limit up to which a float represents every integer.
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= WHOLE {
        #[allow(clippy::cast_possible_truncation)] // whole and in range
        return (number as i64).into();
    }
    number.into()
}
