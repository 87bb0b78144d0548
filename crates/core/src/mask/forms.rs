//! The forms in which a secret can appear in text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::unescape::{is_kept, unescaped};

/// Minimum length of a masked value. Shorter ones are part of ordinary text, and masking them would reveal more than it
/// hides.
const SHORTEST: usize = 4;
/// Words and numbers shorter than this are only masked as whole words.
const LONG: usize = 8;
/// Minimum length of a base64 form; shorter ones match by chance.
const SHORTEST_BASE64: usize = 5;
/// Values that are settings, not secrets: masking them would make every log unreadable.
const SETTINGS: [&str; 10] =
    ["true", "false", "null", "none", "default", "enabled", "disabled", "undefined", "localhost", "unknown"];

/// Conditions for a match of a form, and how much is masked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rule {
    /// Masked only when no letter, digit or underscore is next to it.
    pub(super) word: bool,
    /// Base64 that shares its first or last character with its neighbours: one more character at each end is masked.
    pub(super) ragged: bool,
    /// Matched across white space even when short, because the value itself has white space.
    pub(super) spread: bool,
}

/// The texts to search for, each with its rule.
pub(super) type Forms = BTreeMap<Vec<u8>, Rule>;

/// Where a value can be masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Masking {
    /// Nowhere: it is too short, or a setting such as `true`.
    None,
    /// As a whole word: it is a short word or number.
    Words,
    /// Everywhere: all other values.
    Everywhere,
}

/// Where this value can be masked.
pub(super) fn masking(value: &str) -> Masking {
    let value = value.trim();
    let setting = SETTINGS.iter().any(|setting| value.eq_ignore_ascii_case(setting));
    // One repeated letter or symbol, such as a line of `=` or `-`.
    let uniform = value.bytes().all(|byte| Some(byte) == value.bytes().next());
    if value.len() < SHORTEST || setting || uniform && value.len() < LONG {
        return Masking::None;
    }
    let letters = |text: &str, of: fn(&u8) -> bool| text.as_bytes().iter().all(of);
    let word = letters(value, u8::is_ascii_lowercase)
        || letters(value, u8::is_ascii_uppercase)
        || letters(value, u8::is_ascii_digit)
        || value.is_char_boundary(1)
            && letters(&value[..1], u8::is_ascii_uppercase)
            && letters(&value[1..], u8::is_ascii_lowercase);
    if word && value.len() < LONG { Masking::Words } else { Masking::Everywhere }
}

/// Adds the forms of a secret: the value and each of its lines, with and without quotes and escapes; base64 in both
/// alphabets at each offset in a longer text; and hexadecimal.
pub(super) fn add(forms: &mut Forms, secret: &str) {
    let value = secret.trim();
    add_plain(forms, value);
    value.lines().for_each(|line| add_plain(forms, line.trim()));
    if masking(value) == Masking::None {
        return;
    }
    for text in [secret, value] {
        for before in 0..3 {
            for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                let bytes = [vec![0; before], text.as_bytes().to_vec()].concat();
                let encoded = engine.encode(&bytes);
                // Without the characters at both ends, which depend on the neighbouring bytes too.
                let start = [0, 2, 3][before];
                let end = encoded.len() - usize::from(!bytes.len().is_multiple_of(3));
                if end >= start + SHORTEST_BASE64 {
                    put(forms, &encoded.as_bytes()[start..end], Rule { ragged: true, ..Rule::default() });
                }
            }
        }
        let (mut lower, mut upper) = (String::new(), String::new());
        for byte in text.bytes() {
            let _ = write!(lower, "{byte:02x}");
            let _ = write!(upper, "{byte:02X}");
        }
        put(forms, lower.as_bytes(), Rule::default());
        put(forms, upper.as_bytes(), Rule::default());
    }
}

fn add_plain(forms: &mut Forms, value: &str) {
    let rule = match masking(value) {
        Masking::None => return,
        Masking::Words => Rule { word: true, ..Rule::default() },
        Masking::Everywhere => Rule { spread: value.contains(char::is_whitespace), ..Rule::default() },
    };
    if !value.contains(['\n', '\r']) {
        put(forms, value.as_bytes(), rule);
    }
    // The value with its escapes undone. A value that itself contains something like an escape needs two forms: printed
    // raw, the scanner decodes that escape too; encoded, it decodes to the value itself.
    let kept: Vec<u8> = value.bytes().filter(|byte| is_kept(*byte)).collect();
    let spaces_as_plus: Vec<u8> =
        value.bytes().map(|byte| if byte == b' ' { b'+' } else { byte }).filter(|byte| is_kept(*byte)).collect();
    let plain = unescaped(value);
    let (latin, latin_plain) = (latin(value), latin(&String::from_utf8_lossy(&plain)));
    for form in [plain, kept, spaces_as_plus, latin, latin_plain] {
        if form.len() >= SHORTEST {
            put(forms, &form, rule);
        }
    }
}

/// The value as Python and JavaScript escape it: `é` is `\xe9` there, which is a single byte to others.
fn latin(value: &str) -> Vec<u8> {
    let bytes = value.chars().flat_map(|next| match u8::try_from(u32::from(next)) {
        Ok(byte) => vec![byte],
        Err(_) => next.to_string().into_bytes(),
    });
    bytes.filter(|byte| is_kept(*byte)).collect()
}

fn put(forms: &mut Forms, text: &[u8], rule: Rule) {
    let known = forms.entry(text.to_vec()).or_insert(rule);
    *known = Rule {
        word: known.word && rule.word,
        ragged: known.ragged || rule.ragged,
        spread: known.spread || rule.spread,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_very_short_values_are_not_masked() {
        for value in ["", "1", "abc", "true", "FALSE", " null ", "----", "0000"] {
            assert_eq!(masking(value), Masking::None, "{value}");
        }
        for value in ["test", "Admin", "ROOT", "12345", "secret"] {
            assert_eq!(masking(value), Masking::Words, "{value}");
        }
        for value in ["p4ss", "aBcD", "a-b-c", "password", "12345678", "éàüö"] {
            assert_eq!(masking(value), Masking::Everywhere, "{value}");
        }
    }

    #[test]
    fn the_number_of_forms_is_bounded() {
        let mut forms = Forms::new();
        add(&mut forms, "Tr0ub4dor&3\"x\\y/z?~ >\n");
        assert!(forms.len() <= 20, "{}", forms.len());
    }
}
