//! Go's time layouts (Go's package time, constants of Layout), in UTC as Packer uses them.

use jiff::civil::DateTime;

use super::words::quote;

/// The pieces of a layout, longest first where one begins another, with what jiff's `strftime` calls them.
const TOKENS: [(&str, &str); 33] = [
    ("January", "%B"),
    ("Jan", "%b"),
    ("Monday", "%A"),
    ("Mon", "%a"),
    ("MST", "UTC"),
    ("2006", "%Y"),
    ("-07:00:00", "+00:00:00"),
    ("-07:00", "+00:00"),
    ("-0700", "+0000"),
    ("-07", "+00"),
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
    ("_2", "%e"),
    ("1", "%-m"),
    ("2", "%-d"),
    ("3", "%-I"),
    ("4", "%-M"),
    ("5", "%-S"),
    (".000000000", ".%9f"),
    (".000000", ".%6f"),
    (".000", ".%3f"),
    (",000", ",%3f"),
];

/// RFC 3339, Packer's default.
const DEFAULT: &str = "2006-01-02T15:04:05Z07:00";

enum Piece<'a> {
    Text(&'a str),
    Time(&'static str),
}

fn pieces(layout: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < layout.len() {
        let rest = &layout[at..];
        // `Jan` and `Mon` begin no longer word, such as `Month`.
        let token = TOKENS.iter().find(|(token, _)| {
            rest.starts_with(token)
                && !(matches!(*token, "Jan" | "Mon")
                    && rest[token.len()..].starts_with(|c: char| c.is_ascii_lowercase()))
        });
        if let Some((token, format)) = token {
            if at > start {
                pieces.push(Piece::Text(&layout[start..at]));
            }
            pieces.push(Piece::Time(format));
            at += token.len();
            start = at;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    if at > start {
        pieces.push(Piece::Text(&layout[start..]));
    }
    pieces
}

/// A time by a layout.
pub(crate) fn format(layout: Option<&str>, time: DateTime) -> String {
    let layout = layout.filter(|layout| !layout.is_empty()).unwrap_or(DEFAULT);
    pieces(layout)
        .into_iter()
        .map(|piece| match piece {
            Piece::Time(format) if format.contains('%') => time.strftime(format).to_string(),
            Piece::Time(text) | Piece::Text(text) => text.to_owned(),
        })
        .collect()
}

/// The expression that gives exactly what the layout does; none for what the manifest's `date` and `timestamp` can't give.
pub(crate) fn expression(layout: Option<&str>) -> Option<String> {
    let layout = layout.filter(|layout| !layout.is_empty())?;
    match layout {
        "2006-01-02" => return Some("date".to_owned()),
        "20060102150405" => return Some("timestamp".to_owned()),
        "20060102" => return Some("replace(date, '-', '')".to_owned()),
        _ => {}
    }
    let mut pattern = String::new();
    let mut values: Vec<String> = Vec::new();
    for piece in pieces(layout) {
        match piece {
            Piece::Text(text) => pattern.push_str(&text.replace('{', "{{").replace('}', "}}")),
            Piece::Time(token) => {
                let part = ["%Y", "%m", "%d"].iter().position(|known| *known == token)?;
                pattern.push_str(&format!("{{{}}}", values.len()));
                values.push(format!("split(date, '-')[{part}]"));
            }
        }
    }
    if values.is_empty() {
        return Some(quote(layout));
    }
    Some(format!("format({}, {})", quote(&pattern), values.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_go_s() {
        let time = jiff::civil::date(2026, 3, 7).at(15, 4, 9, 123_000_000);
        let shown = |layout: &str| format(Some(layout), time);
        assert_eq!(shown("2006-01-02 03:04:05 PM"), "2026-03-07 03:04:09 PM");
        assert_eq!(shown("200601021504"), "202603071504");
        assert_eq!(shown("Mon Jan _2 15:04:05 MST 2006"), "Sat Mar  7 15:04:09 UTC 2026");
        assert_eq!(shown("Monday, January 2, 06 at 3:4:5pm"), "Saturday, March 7, 26 at 3:4:9pm");
        assert_eq!(shown("2006-01-02T15:04:05.000Z07:00 v1.2"), "2026-03-07T15:04:09.123Z v3.7");
        assert_eq!(format(None, time), "2026-03-07T15:04:09Z");
    }

    #[test]
    fn dates_become_expressions_and_times_of_day_do_not() {
        assert_eq!(expression(Some("2006-01-02")).as_deref(), Some("date"));
        assert_eq!(
            expression(Some("2006/01")).as_deref(),
            Some("format('{0}/{1}', split(date, '-')[0], split(date, '-')[1])")
        );
        assert_eq!(expression(Some("2006-01-02-1504")), None);
        assert_eq!(expression(None), None);
    }
}
