//! Functions that split a date into parts (Packer, hcl2template/function).

use indexmap::IndexMap;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use super::arguments::Arguments;
use crate::hcl::error::EvalResult;
use crate::hcl::value::HclValue;

pub(super) fn call(all: &Arguments, name: &str) -> Option<EvalResult<HclValue>> {
    Some(match name {
        "rfc3339_parse" => rfc3339(all),
        "unix_timestamp_parse" => unix(all),
        _ => return None,
    })
}

/// The parts are in the time's own zone.
fn rfc3339(all: &Arguments) -> EvalResult<HclValue> {
    let text = all.string(0)?;
    let text = text.trim();
    let offset = if text.ends_with(['Z', 'z']) {
        Some(Offset::UTC)
    } else {
        // An offset such as `+02:00` at the end.
        let zone = text.len().checked_sub(6).and_then(|at| text.get(at..)).and_then(|zone| {
            let (hours, minutes) = zone.get(1..)?.split_once(':')?;
            let seconds = hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60;
            match zone.chars().next()? {
                '+' => Some(seconds),
                '-' => Some(-seconds),
                _ => None,
            }
        });
        zone.and_then(|seconds| Offset::from_seconds(seconds).ok())
    };
    let parsed: Option<Timestamp> = text.parse().ok();
    let (Some(time), Some(offset)) = (parsed, offset) else { return Err(all.invalid("not a time in RFC 3339")) };
    let mut parts = parts(&time.to_zoned(TimeZone::fixed(offset)));
    #[expect(clippy::cast_precision_loss, reason = "seconds of the next millions of years are exact")]
    parts.insert("unix".to_owned(), HclValue::number(time.as_second() as f64));
    Ok(HclValue::Map(parts))
}

fn unix(all: &Arguments) -> EvalResult<HclValue> {
    let number = all.number(0)?;
    #[expect(clippy::cast_possible_truncation, reason = "checked before")]
    let seconds = (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64);
    let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    let time = time.ok_or_else(|| all.invalid("not a whole number of seconds since 1970"))?;
    let mut parts = parts(&time.to_zoned(TimeZone::UTC));
    parts.insert("rfc3339".to_owned(), HclValue::text(time.to_string()));
    Ok(HclValue::Map(parts))
}

fn parts(time: &Zoned) -> IndexMap<String, HclValue> {
    let week = time.date().iso_week_date();
    let number = |value: i16| HclValue::number(f64::from(value));
    [
        ("year", number(time.year())),
        ("year_day", number(time.day_of_year())),
        ("day", number(i16::from(time.day()))),
        ("month", number(i16::from(time.month()))),
        ("month_name", HclValue::text(time.strftime("%B").to_string())),
        ("weekday", number(i16::from(time.weekday().to_sunday_zero_offset()))),
        ("weekday_name", HclValue::text(time.strftime("%A").to_string())),
        ("hour", number(i16::from(time.hour()))),
        ("minute", number(i16::from(time.minute()))),
        ("second", number(i16::from(time.second()))),
        ("iso_year", number(week.year())),
        ("iso_week", number(i16::from(week.week()))),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
