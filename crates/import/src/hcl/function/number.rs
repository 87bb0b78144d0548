//! Functions of numbers, and conversions.

use super::arguments::Arguments;
use crate::hcl::error::EvalResult;
use crate::hcl::operate;
use crate::hcl::value::HclValue;

pub(super) fn call(all: &Arguments, name: &str) -> Option<EvalResult<HclValue>> {
    let rounded = |round: fn(f64) -> f64| all.number(0).map(|number| HclValue::Number(round(number)));
    Some(match name {
        "abs" => rounded(f64::abs),
        "ceil" => rounded(f64::ceil),
        "floor" => rounded(f64::floor),
        "signum" => rounded(|number| if number == 0.0 { 0.0 } else { number.signum() }),
        "max" => fold(all, f64::max),
        "min" => fold(all, f64::min),
        "sum" => sum(all),
        "pow" => all.number(0).and_then(|base| Ok(HclValue::Number(base.powf(all.number(1)?)))),
        "log" => all.number(0).and_then(|number| Ok(HclValue::Number(number.log(all.number(1)?)))),
        "parseint" => parse(all),
        "range" => range(all),
        "tostring" => tostring(all),
        "tonumber" => match all.values.first() {
            Some(HclValue::Null) => Ok(HclValue::Null),
            _ => all.number(0).map(HclValue::Number),
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

fn fold(all: &Arguments, pick: fn(f64, f64) -> f64) -> EvalResult<HclValue> {
    let mut numbers = (0..all.values.len()).map(|index| all.number(index));
    let first = numbers.next().ok_or_else(|| all.invalid("an argument is missing"))??;
    numbers.try_fold(first, |best, number| Ok(pick(best, number?))).map(HclValue::Number)
}

fn sum(all: &Arguments) -> EvalResult<HclValue> {
    let items = all.list(0)?;
    let numbers = items.iter().map(|item| all.scope.number(item, all.span.clone()));
    numbers.sum::<EvalResult<f64>>().map(HclValue::Number)
}

fn parse(all: &Arguments) -> EvalResult<HclValue> {
    let base = operate::whole(all.number(1)?).and_then(|base| u32::try_from(base).ok());
    let base = base.filter(|base| (2..=36).contains(base)).ok_or_else(|| all.invalid("the base must be 2 to 36"))?;
    let number = i64::from_str_radix(&all.string(0)?, base).map_err(|_| all.invalid("not a number"))?;
    #[expect(clippy::cast_precision_loss, reason = "numbers of HCL are no more exact here")]
    Ok(HclValue::Number(number as f64))
}

/// cty's own limit.
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
        out.push(HclValue::Number(at));
        at += step;
    }
    Ok(HclValue::List(out))
}
