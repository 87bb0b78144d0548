//! Functions of time.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::arguments::Arguments;
use crate::duration::seconds;
use crate::hcl::error::EvalResult;
use crate::hcl::value::{HclValue, Scalar, Text, TextPart, Unknown};
use crate::template::{Unsupported, call as action, layout};

/// RFC 3339 in UTC, as `timestamp()` gives it: a layout of Go in which `Z` is a letter.
const RFC3339: &str = "2006-01-02T15:04:05Z";

pub(super) fn call(all: &Arguments, name: &str) -> Option<EvalResult<HclValue>> {
    Some(match name {
        "timestamp" => Ok(time(all, RFC3339)),
        "legacy_isotime" => match all.values.first() {
            None => Ok(time(all, RFC3339)),
            Some(_) => all.string(0).map(|layout| time(all, &layout)),
        },
        "legacy_strftime" => all.string(0).map(|format| strftime(all, &format)),
        "formatdate" => formatdate(all),
        "timeadd" => timeadd(all),
        _ => return None,
    })
}

/// The time in a layout: a fixed time if the import is part of a bake, otherwise the time of the later bake.
fn time(all: &Arguments, layout: &str) -> HclValue {
    match all.scope.module.now {
        Some(now) => HclValue::text(formatted(layout, now)),
        None => HclValue::Text(Text(vec![TextPart::Time(layout.to_owned())])),
    }
}

fn formatted(layout: &str, time: Timestamp) -> String {
    layout::format(&layout::go(Some(layout)), time.to_zoned(TimeZone::UTC).datetime())
}

fn strftime(all: &Arguments, format: &str) -> HclValue {
    match all.scope.module.now {
        Some(now) => HclValue::text(layout::format(&layout::strftime(format), now.to_zoned(TimeZone::UTC).datetime())),
        None => HclValue::unknown(Unknown {
            action: action("strftime", format),
            known: None,
            scalar: Scalar::Text,
            secret: false,
            name: "legacy_strftime()".to_owned(),
        }),
    }
}

fn formatdate(all: &Arguments) -> EvalResult<HclValue> {
    let spec = all.string(0)?;
    let layout = go(&spec).ok_or_else(|| {
        Unsupported::new(format!("the date format {spec:?} is not supported"))
            .help("Use `YYYY`, `MM`, `DD`, `hh`, `mm` and `ss`.")
    })?;
    if let [TextPart::Time(own)] = all.text(1)?.0.as_slice()
        && own == RFC3339
    {
        return Ok(HclValue::Text(Text(vec![TextPart::Time(layout)])));
    }
    let time: Timestamp = all.string(1)?.trim().parse().map_err(|_| all.invalid("not a time in RFC 3339"))?;
    Ok(HclValue::text(formatted(&layout, time)))
}

/// Tokens of `formatdate` (HCL's own, cty stdlib), longest first for each letter, and the equivalents of Go.
const TOKENS: [(&str, &str); 20] = [
    ("YYYY", "2006"),
    ("YY", "06"),
    ("MMMM", "January"),
    ("MMM", "Jan"),
    ("MM", "01"),
    ("M", "1"),
    ("DD", "02"),
    ("D", "2"),
    ("EEEE", "Monday"),
    ("EEE", "Mon"),
    ("hh", "15"),
    ("HH", "03"),
    ("H", "3"),
    ("AA", "PM"),
    ("aa", "pm"),
    ("mm", "04"),
    ("m", "4"),
    ("ss", "05"),
    ("s", "5"),
    // The time is in UTC.
    ("Z", "Z"),
];

/// A format of `formatdate` as a layout of Go, if Go has an equivalent.
fn go(spec: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = spec;
    while let Some(c) = rest.chars().next() {
        if c == '\'' {
            let end = rest[1..].find('\'')?;
            // Letters in quotes are literal.
            out.push_str(&rest[1..=end]);
            rest = &rest[end + 2..];
        } else if c.is_ascii_alphabetic() {
            let length = rest.find(|other| other != c).unwrap_or(rest.len());
            let run = &rest[..length];
            match run {
                "ZZZ" => out.push_str("UTC"),
                "ZZZZ" => out.push_str("+0000"),
                "ZZZZZ" => out.push_str("+00:00"),
                _ => out.push_str(TOKENS.iter().find(|(token, _)| *token == run)?.1),
            }
            rest = &rest[length..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    Some(out)
}

fn timeadd(all: &Arguments) -> EvalResult<HclValue> {
    if all.scope.module.now.is_none() && matches!(all.text(0)?.0.as_slice(), [TextPart::Time(_)]) {
        return Err(Unsupported::new("it is computed from the time of the bake, which is only known during the bake")
            .help("Use an age instead: `publish.deprecate-after`.")
            .into());
    }
    let time: Timestamp = all.string(0)?.trim().parse().map_err(|_| all.invalid("not a time in RFC 3339"))?;
    let span = all.string(1)?;
    let (negative, amount) = span.strip_prefix('-').map_or((false, span.as_str()), |rest| (true, rest));
    let duration = seconds(amount).and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok());
    let duration = duration.ok_or_else(|| all.invalid("the second argument must be a duration such as `24h`"))?;
    let duration = if negative { -duration } else { duration };
    let later = time.checked_add(duration).map_err(|_| all.invalid("the time is out of range"))?;
    Ok(HclValue::text(formatted(RFC3339, later)))
}

#[cfg(test)]
mod tests {
    use super::go;

    #[test]
    fn formats_become_layouts_of_go() {
        assert_eq!(go("YYYYMMDDhhmmss").as_deref(), Some("20060102150405"));
        assert_eq!(go("YYYY-MM-DD'T'hh:mm:ssZ").as_deref(), Some("2006-01-02T15:04:05Z"));
        assert_eq!(go("EEE, DD MMM YY hh:mm ZZZ").as_deref(), Some("Mon, 02 Jan 06 15:04 UTC"));
        assert_eq!(go("h:mm"), None);
    }
}
