//! Functions of numbers, and conversions.

use super::{Arguments, Outcome, Value};
use crate::hcl::operate;

pub(super) fn call(all: &Arguments, name: &str) -> Option<Outcome<Value>> {
    let rounded = |round: fn(f64) -> f64| all.number(0).map(|number| Value::Number(round(number)));
    Some(match name {
        "abs" => rounded(f64::abs),
        "ceil" => rounded(f64::ceil),
        "floor" => rounded(f64::floor),
        "signum" => rounded(|number| if number == 0.0 { 0.0 } else { number.signum() }),
        "max" => fold(all, f64::max),
        "min" => fold(all, f64::min),
        "sum" => sum(all),
        "pow" => all.number(0).and_then(|base| Ok(Value::Number(base.powf(all.number(1)?)))),
        "log" => all.number(0).and_then(|number| Ok(Value::Number(number.log(all.number(1)?)))),
        "parseint" => parse(all),
        "range" => range(all),
        "tostring" | "convert" => convert(all),
        "tonumber" => match all.values.first() {
            Some(Value::Null) => Ok(Value::Null),
            _ => all.number(0).map(Value::Number),
        },
        "tobool" => match all.values.first() {
            Some(Value::Null) => Ok(Value::Null),
            _ => all.get(0).and_then(|value| Ok(Value::Bool(operate::truth(all.scope, value, all.span.clone())?))),
        },
        _ => return None,
    })
}

/// Scalars of texts stay what they are: what they are used for decides.
fn convert(all: &Arguments) -> Outcome<Value> {
    match all.get(0)? {
        Value::Null => Ok(Value::Null),
        _ if all.name == "convert" => Ok(all.get(0)?.clone()),
        _ => all.text(0).map(Value::Text),
    }
}

fn fold(all: &Arguments, pick: fn(f64, f64) -> f64) -> Outcome<Value> {
    let mut numbers = (0..all.values.len()).map(|index| all.number(index));
    let first = numbers.next().ok_or_else(|| all.wrong("an argument is missing"))??;
    numbers.try_fold(first, |best, number| Ok(pick(best, number?))).map(Value::Number)
}

fn sum(all: &Arguments) -> Outcome<Value> {
    let items = all.list(0)?;
    let numbers = items.iter().map(|item| operate::number(all.scope, item, all.span.clone()));
    numbers.sum::<Outcome<f64>>().map(Value::Number)
}

fn parse(all: &Arguments) -> Outcome<Value> {
    let base = operate::whole(all.number(1)?).and_then(|base| u32::try_from(base).ok());
    let base = base.filter(|base| (2..=36).contains(base)).ok_or_else(|| all.wrong("the base is 2 to 36"))?;
    let number = i64::from_str_radix(&all.string(0)?, base).map_err(|_| all.wrong("this is no number"))?;
    #[expect(clippy::cast_precision_loss, reason = "HCL's numbers are no other here")]
    Ok(Value::Number(number as f64))
}

/// No template counts further (cty's own limit).
const COUNT: usize = 1024;

fn range(all: &Arguments) -> Outcome<Value> {
    let numbers = (0..all.values.len()).map(|index| all.number(index)).collect::<Outcome<Vec<_>>>()?;
    let (start, end, step) = match numbers.as_slice() {
        [end] => (0.0, *end, if *end < 0.0 { -1.0 } else { 1.0 }),
        [start, end] => (*start, *end, if end < start { -1.0 } else { 1.0 }),
        [start, end, step] => (*start, *end, *step),
        _ => return Err(all.wrong("it takes one to three numbers")),
    };
    if step == 0.0 {
        return Err(all.wrong("a step of zero never ends"));
    }
    let mut out = Vec::new();
    let mut at = start;
    while if step > 0.0 { at < end } else { at > end } {
        if out.len() >= COUNT {
            return Err(all.wrong("a range has at most 1024 numbers"));
        }
        out.push(Value::Number(at));
        at += step;
    }
    Ok(Value::List(out))
}
