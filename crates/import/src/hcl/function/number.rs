//! Functions for numbers, and conversions.

use std::cmp::Ordering;

use super::arguments::Arguments;
use crate::hcl::error::EvalResult;
use crate::hcl::number::Number;
use crate::hcl::operate;
use crate::hcl::value::HclValue;

pub(super) fn call(all: &Arguments, name: &str) -> Option<EvalResult<HclValue>> {
    let rounded = |round: fn(f64) -> f64| {
        all.exact(0).map(|number| match number {
            Number::Whole(_) => HclValue::Number(number),
            Number::Real(real) => HclValue::number(round(real)),
        })
    };
    Some(match name {
        "abs" => all.exact(0).map(|number| {
            HclValue::Number(match number {
                Number::Whole(whole) => Number::Whole(whole.saturating_abs()),
                Number::Real(real) => real.abs().into(),
            })
        }),
        "ceil" => rounded(f64::ceil),
        "floor" => rounded(f64::floor),
        "signum" => all.number(0).map(|number| HclValue::number(if number == 0.0 { 0.0 } else { number.signum() })),
        "max" => fold(all, Ordering::Greater),
        "min" => fold(all, Ordering::Less),
        "sum" => sum(all),
        "pow" => all.number(0).and_then(|base| Ok(HclValue::number(base.powf(all.number(1)?)))),
        "log" => all.number(0).and_then(|number| Ok(HclValue::number(number.log(all.number(1)?)))),
        "parseint" => parse(all),
        "range" => range(all),
        "tostring" => tostring(all),
        "tonumber" => match all.values.first() {
            Some(HclValue::Null) => Ok(HclValue::Null),
            _ => all.exact(0).map(HclValue::Number),
        },
        "tobool" => match all.values.first() {
            Some(HclValue::Null) => Ok(HclValue::Null),
            _ => all.get(0).and_then(|value| Ok(HclValue::Bool(all.scope.truth(value, all.span.clone())?))),
        },
        _ => return None,
    })
}

fn tostring(all: &Arguments) -> EvalResult<HclValue> {
    match all.get(0)? {
        HclValue::Null => Ok(HclValue::Null),
        _ => all.text(0).map(HclValue::Text),
    }
}

/// The smallest or largest argument, depending on `best`.
fn fold(all: &Arguments, best: Ordering) -> EvalResult<HclValue> {
    let mut numbers = (0..all.values.len()).map(|index| all.exact(index));
    let first = numbers.next().ok_or_else(|| all.invalid("an argument is missing"))??;
    let better = |known: Number, number: Number| if number.order(known) == best { number } else { known };
    numbers.try_fold(first, |known, number| Ok(better(known, number?))).map(HclValue::Number)
}

fn sum(all: &Arguments) -> EvalResult<HclValue> {
    let items = all.list(0)?;
    let mut numbers = items.iter().map(|item| all.scope.exact(item, all.span.clone()));
    let add = |sum: Number, number: Number| sum.compute(number, i128::checked_add, |a, b| a + b);
    numbers.try_fold(Number::Whole(0), |sum, number| Ok(add(sum, number?))).map(HclValue::Number)
}

fn parse(all: &Arguments) -> EvalResult<HclValue> {
    let base = operate::whole(all.number(1)?).and_then(|base| u32::try_from(base).ok());
    let base = base.filter(|base| (2..=36).contains(base)).ok_or_else(|| all.invalid("the base must be 2 to 36"))?;
    let number = i128::from_str_radix(&all.string(0)?, base).map_err(|_| all.invalid("not a number"))?;
    Ok(HclValue::Number(Number::Whole(number)))
}

/// Maximum number of elements; cty has the same limit.
const COUNT: usize = 1024;

fn range(all: &Arguments) -> EvalResult<HclValue> {
    let numbers = (0..all.values.len()).map(|index| all.number(index)).collect::<EvalResult<Vec<_>>>()?;
    let (start, end, step) = match numbers.as_slice() {
        [end] => (0.0, *end, if *end < 0.0 { -1.0 } else { 1.0 }),
        [start, end] => (*start, *end, if end < start { -1.0 } else { 1.0 }),
        [start, end, step] => (*start, *end, *step),
        _ => return Err(all.invalid("expected one to three numbers")),
    };
    if step == 0.0 {
        return Err(all.invalid("the step must not be zero"));
    }
    let mut out = Vec::new();
    let mut at = start;
    while if step > 0.0 { at < end } else { at > end } {
        if out.len() >= COUNT {
            return Err(all.invalid("a range has at most 1024 numbers"));
        }
        out.push(HclValue::number(at));
        at += step;
    }
    Ok(HclValue::List(out))
}
