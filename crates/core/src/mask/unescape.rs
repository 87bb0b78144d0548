//! Removes escapes from text, so that one pattern finds a secret however it is quoted.
//!
//! White space, quotes and backslashes are left out, and `\n`, `\u0026`, `\x26`, `\046`, `%26`, `&amp;` and `&#38;` are
//! decoded. This undoes JSON strings (nested, too), quoting of POSIX shells, bash's `$'…'`, Python's `repr`, URLs,
//! HTML, and line breaks that `base64`, `xxd -p` or `fold` put into a value.

/// Maximum number of backslashes before one escape: JSON in JSON in JSON.
const NESTED: usize = 8;
/// Maximum length of an escape: `\ud83d\ude00` and backslashes before it.
const LONGEST: usize = 11 + NESTED;

/// One unit of escaped text: a character or an escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    bytes: [u8; 4],
    length: u8,
    /// Number of bytes of the escaped text.
    pub(super) width: usize,
}

impl Unit {
    const fn nothing(width: usize) -> Self {
        Self { bytes: [0; 4], length: 0, width }
    }

    fn byte(byte: u8, width: usize) -> Self {
        if is_kept(byte) { Self { bytes: [byte, 0, 0, 0], length: 1, width } } else { Self::nothing(width) }
    }

    fn code(code: u32, width: usize) -> Self {
        let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        if character.is_ascii() {
            return Self::byte(character as u8, width);
        }
        let mut bytes = [0; 4];
        let length = character.encode_utf8(&mut bytes).len();
        Self { bytes, length: u8::try_from(length).unwrap_or_default(), width }
    }

    /// The decoded bytes; empty for what is left out.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// True for bytes that are neither layout nor quoting.
pub(super) const fn is_kept(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f && byte != b'\'' && byte != b'"' && byte != b'\\'
}

/// True for bytes that can begin an escape.
pub(super) const fn is_escape(byte: u8) -> bool {
    matches!(byte, b'\\' | b'%' | b'&')
}

/// The first unit of a non-empty text. `None` when more text could change it, but never when this is the `last` piece
/// of the text.
pub(super) fn unit(text: &[u8], last: bool) -> Option<Unit> {
    let wait = !last && text.len() < LONGEST;
    match text[0] {
        b'\\' => backslash(text, wait),
        b'%' => match digits(&text[1..], 16, 2) {
            Digits::All(code) => Some(Unit::byte(u8::try_from(code).unwrap_or_default(), 3)),
            Digits::Cut if wait => None,
            _ => Some(Unit::byte(b'%', 1)),
        },
        b'&' => entity(text, wait),
        byte => Some(Unit::byte(byte, 1)),
    }
}

/// The whole text without escapes.
pub(super) fn unescaped(text: &str) -> Vec<u8> {
    let (bytes, mut at, mut plain) = (text.as_bytes(), 0, Vec::with_capacity(text.len()));
    while at < bytes.len() {
        let Some(unit) = unit(&bytes[at..], true) else { break };
        plain.extend_from_slice(unit.bytes());
        at += unit.width;
    }
    plain
}

fn backslash(text: &[u8], wait: bool) -> Option<Unit> {
    let Some(kind) = text.get(1) else { return if wait { None } else { Some(Unit::nothing(1)) } };
    let (base, count) = match kind {
        b'n' | b'r' | b't' => return Some(Unit::nothing(2)),
        b'x' => (16, 2),
        b'u' => (16, 4),
        b'U' => (16, 8),
        b'0'..=b'7' => (8, 3),
        _ => return Some(Unit::nothing(1)),
    };
    let skip = if base == 8 { 1 } else { 2 };
    match digits(&text[skip..], base, count) {
        Digits::All(code) if count < 4 => match u8::try_from(code) {
            Ok(byte) => Some(Unit::byte(byte, skip + count)),
            Err(_) => Some(Unit::nothing(1)),
        },
        // The first half of a surrogate pair, as JSON writes characters beyond U+FFFF.
        Digits::All(high @ 0xd800..=0xdbff) if count == 4 => {
            let rest = &text[6..];
            let slashes = rest.iter().take(NESTED).take_while(|byte| **byte == b'\\').count();
            match rest.get(slashes) {
                Some(b'u') if slashes > 0 => match digits(&rest[slashes + 1..], 16, 4) {
                    Digits::All(low @ 0xdc00..=0xdfff) => {
                        Some(Unit::code(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), 11 + slashes))
                    }
                    Digits::Cut if wait => None,
                    _ => Some(Unit::code(high, 6)),
                },
                None if wait => None,
                _ => Some(Unit::code(high, 6)),
            }
        }
        Digits::All(code) => Some(Unit::code(code, skip + count)),
        Digits::Cut if wait => None,
        _ => Some(Unit::nothing(1)),
    }
}

fn entity(text: &[u8], wait: bool) -> Option<Unit> {
    let name = &text[1..text.len().min(LONGEST)];
    let Some(length) = name.iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'#')) else {
        return if wait { None } else { Some(Unit::byte(b'&', 1)) };
    };
    let number = |digits: &[u8], base| {
        std::str::from_utf8(digits).ok().and_then(|digits| u32::from_str_radix(digits, base).ok())
    };
    let code = match &name[..length] {
        _ if name[length] != b';' => None,
        b"amp" => Some(u32::from(b'&')),
        b"lt" => Some(u32::from(b'<')),
        b"gt" => Some(u32::from(b'>')),
        b"quot" => Some(u32::from(b'"')),
        b"apos" => Some(u32::from(b'\'')),
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16),
        [b'#', digits @ ..] => number(digits, 10),
        _ => None,
    };
    Some(code.map_or_else(|| Unit::byte(b'&', 1), |code| Unit::code(code, length + 2)))
}

enum Digits {
    All(u32),
    /// The text ends before the last digit.
    Cut,
    Other,
}

fn digits(text: &[u8], base: u32, count: usize) -> Digits {
    let mut value = 0_u32;
    for index in 0..count {
        let Some(byte) = text.get(index) else { return Digits::Cut };
        let Some(digit) = char::from(*byte).to_digit(base) else { return Digits::Other };
        value = value.wrapping_mul(base).wrapping_add(digit);
    }
    Digits::All(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        String::from_utf8_lossy(&unescaped(text)).into_owned()
    }

    #[test]
    fn every_quoting_of_a_text_is_the_same_text() {
        // `a"b'c\d&é` in JSON, JSON in JSON, Go's JSON, shells, Python, URLs and HTML.
        for quoted in [
            r#""a\"b'c\\d&é""#,
            r#""a\\\"b'c\\\\d&\u00e9""#,
            r#""a\"b'c\\d\u0026é""#,
            r#"'a"b'\''c\d&é'"#,
            r#"'a"b'"'"'c\d&é'"#,
            r#""a\"b'c\\d&é""#,
            r#"a\"b\'c\\d\&é"#,
            r#"$'a"b\'c\\d&\303\251'"#,
            r#"b'a"b\'c\\d&\xc3\xa9'"#,
            "a%22b%27c%5Cd%26%C3%A9",
            "a%22b'c%5cd%26%c3%a9",
            "a&quot;b&#39;c\\d&amp;&eacute;".replace("&eacute;", "&#233;").as_str(),
            "a&#34;b&#x27;c\\d&#38;é",
        ] {
            assert_eq!(plain(quoted).trim_start_matches(['b', '$']), "abcd&é", "{quoted}");
        }
        assert_eq!(plain("a\\nb\r\n  c\td\\te"), "abcde");
        assert_eq!(plain(r"\ud83d\ude00\U0001f600"), "\u{1f600}\u{1f600}");
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(plain("100% of 5%zz & co; a&b; &#; %4"), "100%of5%zz&co;a&b;&#;%4");
        assert_eq!(plain(r"\x4 \u12 \8 C:\dir \"), "x4u128C:dir");
    }

    #[test]
    fn an_escape_that_may_go_on_waits() {
        for (text, more) in
            [("\\", true), ("\\u00", true), ("\\ud83d", true), ("%4", true), ("&am", true), ("a", false)]
        {
            assert_eq!(unit(text.as_bytes(), false).is_none(), more, "{text}");
            assert!(unit(text.as_bytes(), true).is_some(), "{text}");
        }
    }
}
