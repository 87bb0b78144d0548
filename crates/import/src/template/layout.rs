//! Go's time layouts (Go's package time, constants of Layout) and `strftime` formats, in UTC as Packer uses them.

use jiff::civil::DateTime;

use super::words::quote;

/// The tokens of a layout, longest first among those with the same beginning, and jiff's `strftime` equivalents.
const TOKENS: [(&str, &str); 33] = [
    ("January", "%B"),
    ("Jan", "%b"),
    ("Monday", "%A"),
    ("Mon", "%a"),
    ("MST", "UTC"),
    ("2006", "%Y"),
    ("-07:00:00", "+00:00:00"),
    ("-070000", "+000000"),
    ("-07:00", "+00:00"),
    ("-0700", "+0000"),
    ("-07", "+00"),
    ("Z07:00:00", "Z"),
    ("Z070000", "Z"),
    ("Z07:00", "Z"),
    ("Z0700", "Z"),
    ("Z07", "Z"),
    ("002", "%j"),
    ("01", "%m"),
    ("02", "%d"),
    ("03", "%I"),
    ("04", "%M"),
    ("05", "%S"),
    ("06", "%y"),
    ("15", "%H"),
    ("PM", "%p"),
    ("pm", "%P"),
    ("__2", "%_3j"),
    ("_2", "%e"),
    ("1", "%-m"),
    ("2", "%-d"),
    ("3", "%-I"),
    ("4", "%-M"),
    ("5", "%-S"),
];

/// The directives of `strftime` (github.com/jehiah/go-strftime); everything else is literal.
const FORMATS: [(char, &str); 14] = [
    ('B', "%B"),
    ('b', "%b"),
    ('m', "%m"),
    ('A', "%A"),
    ('a', "%a"),
    ('d', "%d"),
    ('H', "%H"),
    ('I', "%I"),
    ('M', "%M"),
    ('S', "%S"),
    ('Y', "%Y"),
    ('y', "%y"),
    ('p', "%p"),
    ('Z', "UTC"),
];

/// Packer's default layout, RFC 3339.
const DEFAULT: &str = "2006-01-02T15:04:05Z07:00";

/// A piece of a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Literal text.
    Text(String),
    /// A part of the time, as a directive of jiff's `strftime`.
    Time(&'static str),
    /// A fraction of a second: the separator, the number of digits, and whether trailing zeros are omitted.
    Fraction(char, usize, bool),
}

/// Parses a layout of Go. Default: Packer's.
pub(crate) fn go(layout: Option<&str>) -> Vec<Piece> {
    let layout = layout.unwrap_or(DEFAULT);
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < layout.len() {
        let rest = &layout[at..];
        if let Some((piece, length)) = token(rest).or_else(|| fraction(rest)) {
            pieces.push(piece);
            at += length;
        } else if let Some(c) = rest.chars().next() {
            text(&mut pieces, c);
            at += c.len_utf8();
        }
    }
    pieces
}

fn token(rest: &str) -> Option<(Piece, usize)> {
    let (token, format) = TOKENS.iter().find(|(token, _)| {
        let tail = rest.strip_prefix(token);
        match *token {
            // `Jan` and `Mon` must not begin a longer word, such as `Month`.
            "Jan" | "Mon" => tail.is_some_and(|tail| !tail.starts_with(|c: char| c.is_ascii_lowercase())),
            // `_2006` is an underscore and a year.
            "_2" => tail.is_some_and(|tail| !tail.starts_with("006")),
            _ => tail.is_some(),
        }
    })?;
    Some((Piece::Time(format), token.len()))
}

/// `.000` or `,999`, not followed by a digit.
fn fraction(rest: &str) -> Option<(Piece, usize)> {
    let separator = rest.chars().next().filter(|c| matches!(c, '.' | ','))?;
    let digit = rest[1..].chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let digits = rest[1..].chars().take_while(|c| *c == digit).count();
    let ends = !rest[1 + digits..].starts_with(|c: char| c.is_ascii_digit());
    ends.then_some((Piece::Fraction(separator, digits, digit == '9'), 1 + digits))
}

/// Parses a `strftime` format.
pub(crate) fn strftime(format: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            text(&mut pieces, c);
            continue;
        }
        match chars.next() {
            None | Some('%') => text(&mut pieces, '%'),
            Some('z') => pieces.push(Piece::Time("+0000")),
            Some('L') => pieces.push(Piece::Fraction('.', 3, false)),
            Some(c) => match FORMATS.iter().find(|(known, _)| *known == c) {
                Some((_, format)) => pieces.push(Piece::Time(format)),
                None => "%".chars().chain([c]).for_each(|c| text(&mut pieces, c)),
            },
        }
    }
    pieces
}

fn text(pieces: &mut Vec<Piece>, c: char) {
    match pieces.last_mut() {
        Some(Piece::Text(text)) => text.push(c),
        _ => pieces.push(Piece::Text(c.to_string())),
    }
}

/// Formats a time.
pub(crate) fn format(pieces: &[Piece], time: DateTime) -> String {
    let one = |piece: &Piece| match piece {
        Piece::Time(format) if format.contains('%') => time.strftime(format).to_string(),
        Piece::Time(text) => (*text).to_owned(),
        Piece::Text(text) => text.clone(),
        Piece::Fraction(separator, digits, short) => {
            let nanoseconds = format!("{:09}", time.subsec_nanosecond());
            let digits = &nanoseconds[..(*digits).min(9)];
            let digits = if *short { digits.trim_end_matches('0') } else { digits };
            if *short && digits.is_empty() { String::new() } else { format!("{separator}{digits}") }
        }
    };
    pieces.iter().map(one).collect()
}

/// The expression with exactly the same result; `None` if the manifest's `date` and `timestamp` have no equivalent.
pub(crate) fn expression(pieces: &[Piece]) -> Option<String> {
    let plain: Option<String> = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Time(format) => Some(*format),
            Piece::Fraction(..) => None,
        })
        .collect();
    match plain?.as_str() {
        "%Y-%m-%d" => return Some("date".to_owned()),
        "%Y%m%d%H%M%S" => return Some("timestamp".to_owned()),
        "%Y%m%d" => return Some("replace(date, '-', '')".to_owned()),
        _ => {}
    }
    let mut pattern = String::new();
    let mut values: Vec<String> = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => pattern.push_str(&text.replace('{', "{{").replace('}', "}}")),
            Piece::Time(token) => {
                let part = ["%Y", "%m", "%d"].iter().position(|known| known == token)?;
                pattern.push_str(&format!("{{{}}}", values.len()));
                values.push(format!("split(date, '-')[{part}]"));
            }
            Piece::Fraction(..) => return None,
        }
    }
    match (values.as_slice(), pattern.as_str()) {
        ([], _) => Some(quote(&pattern.replace("{{", "{").replace("}}", "}"))),
        ([value], "{0}") => Some(value.clone()),
        _ => Some(format!("format({}, {})", quote(&pattern), values.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected texts are those of Go 1.22's `Time.Format`.
    #[test]
    fn layouts_are_go_s() {
        let time = jiff::civil::date(2026, 3, 7).at(15, 4, 9, 120_000_000);
        let shown = |layout: &str| format(&go(Some(layout)), time);
        for (layout, expected) in [
            ("2006-01-02 03:04:05 PM", "2026-03-07 03:04:09 PM"),
            ("200601021504", "202603071504"),
            ("Mon Jan _2 15:04:05 MST 2006", "Sat Mar  7 15:04:09 UTC 2026"),
            ("Monday, January 2, 06 at 3:4:5pm", "Saturday, March 7, 26 at 3:4:9pm"),
            ("2006-01-02T15:04:05.000Z07:00 v1.2", "2026-03-07T15:04:09.120Z v3.7"),
            ("05.999999 05,9 05.99x", "09.12 09,1 09.12x"),
            // Followed by a digit: not a fraction.
            ("5.0001", "9.0003"),
            (".0 .0000000000", ".1 .120000000"),
            ("002 __2 _2 _2006", "066  66  7 _2026"),
            ("-07 -0700 -07:00 -070000 -07:00:00", "+00 +0000 +00:00 +000000 +00:00:00"),
            ("Z07 Z0700 Z07:00 Z070000 Z07:00:00", "Z Z Z Z Z"),
            ("Month Monz Janz JanZ", "Month Monz Janz MarZ"),
            ("v07 0 6 8 9", "v07 0 6 8 9"),
            ("ä2006ö", "ä2026ö"),
            ("", ""),
        ] {
            assert_eq!(shown(layout), expected, "{layout}");
        }
        let even = jiff::civil::date(2026, 12, 31).at(0, 0, 0, 0);
        assert_eq!(format(&go(Some("03PM 3pm 15.999 15.000")), even), "12AM 12am 00 00.000");
        assert_eq!(format(&go(None), time), "2026-03-07T15:04:09Z");
    }

    #[test]
    fn formats_of_strftime_are_the_library_s() {
        let time = jiff::civil::date(2026, 3, 7).at(15, 4, 9, 120_000_000);
        let shown = |text: &str| format(&strftime(text), time);
        assert_eq!(shown("%Y-%m-%dT%H:%M:%S%L%z %Z"), "2026-03-07T15:04:09.120+0000 UTC");
        assert_eq!(shown("%A %a %B %b %I%p %y"), "Saturday Sat March Mar 03PM 26");
        // Literal text is not a layout, and unknown directives are literal.
        assert_eq!(shown("v1.2 100%% %j %"), "v1.2 100% %j %");
    }

    #[test]
    fn dates_become_expressions_and_times_of_day_do_not() {
        let expression = |layout: &str| expression(&go(Some(layout)));
        assert_eq!(expression("2006-01-02").as_deref(), Some("date"));
        assert_eq!(expression("20060102150405").as_deref(), Some("timestamp"));
        assert_eq!(expression("2006").as_deref(), Some("split(date, '-')[0]"));
        assert_eq!(
            expression("2006/01").as_deref(),
            Some("format('{0}/{1}', split(date, '-')[0], split(date, '-')[1])")
        );
        assert_eq!(expression("2006-01-02-1504"), None);
        assert_eq!(expression("2006.000"), None);
        assert_eq!(expression("{x}").as_deref(), Some("'{x}'"));
        assert_eq!(super::expression(&strftime("%Y%m%d")).as_deref(), Some("replace(date, '-', '')"));
    }
}
