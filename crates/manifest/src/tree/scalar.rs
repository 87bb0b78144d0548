//! The meaning of plain scalars in YAML 1.2's core schema (YAML 1.2.2, section 10.3.2).

use super::Meaning;

/// The meaning of a plain scalar.
pub(super) fn meaning(text: &str) -> Meaning {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Meaning::Null,
        "true" | "True" | "TRUE" => Meaning::Boolean(true),
        "false" | "False" | "FALSE" => Meaning::Boolean(false),
        _ => number(text).unwrap_or(Meaning::Text),
    }
}

fn number(text: &str) -> Option<Meaning> {
    let first = *text.as_bytes().first()?;
    if !first.is_ascii_digit() && !matches!(first, b'+' | b'-' | b'.') {
        return None;
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too large for 64 bits, such as a long identifier, keeps its magnitude as a float.
        return text.parse().map(Meaning::Integer).or_else(|_| text.parse().map(Meaning::Float)).ok();
    }
    if matches!(digits, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(Meaning::Float(f64::INFINITY));
    }
    float(digits).then(|| text.parse().ok()).flatten().map(Meaning::Float)
}

fn radix(digits: &str, base: u32) -> Option<Meaning> {
    let valid = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(base));
    valid.then(|| i64::from_str_radix(digits, base).ok()).flatten().map(Meaning::Integer)
}

/// Whether the text matches `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`.
fn float(digits: &str) -> bool {
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (digits, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some((whole, part)) => all_digits(whole) && all_digits(part) && !(whole.is_empty() && part.is_empty()),
        None => !mantissa.is_empty() && all_digits(mantissa),
    };
    mantissa_fits && exponent.is_none_or(|exponent| !exponent.is_empty() && all_digits(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_schema_decides() {
        for text in ["", "~", "null"] {
            assert_eq!(meaning(text), Meaning::Null, "{text}");
        }
        for text in
            ["yes", "on", "1.2.3", "t3.small", "10m", "0x", "1e", "-", ".", "+", "2026-11-20", "1_000", "inf", "nan"]
        {
            assert_eq!(meaning(text), Meaning::Text, "{text}");
        }
        assert_eq!(meaning("0123"), Meaning::Integer(123));
        assert_eq!(meaning("0o17"), Meaning::Integer(15));
        assert_eq!(meaning("0x1F"), Meaning::Integer(31));
        assert_eq!(meaning("1.20"), Meaning::Float(1.2));
        assert_eq!(meaning("1e3"), Meaning::Float(1000.0));
        assert_eq!(meaning("099720109477"), Meaning::Integer(99_720_109_477));
    }
}
