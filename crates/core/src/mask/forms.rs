//! The forms in which a secret may appear in text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::unescape::{is_kept, unescaped};

/// Shorter values are not masked: they are part of ordinary text, and masking them would tell more than it hides.
const SHORTEST: usize = 4;
/// A word or number shorter than this is only masked as a whole word.
const LONG: usize = 8;
/// Shorter base64 is found by chance.
const SHORTEST_BASE64: usize = 5;
/// Settings, not secrets: masking them would make every log unreadable.
const SETTINGS: [&str; 10] =
    ["true", "false", "null", "none", "default", "enabled", "disabled", "undefined", "localhost", "unknown"];

/// What a match of a form has to fulfil, and what is masked with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rule {
    /// Masked only where no letter, digit or underscore is next to it.
    pub(super) word: bool,
    /// Base64 that shares its first or last character with its neighbours: one more at each end is masked.
    pub(super) ragged: bool,
    /// Found across white space however short it is, because the value has white space itself.
    pub(super) spread: bool,
}

/// Texts to look for.
pub(super) type Forms = BTreeMap<Vec<u8>, Rule>;

/// How far a value can be masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Masking {
    /// Too short, or a setting such as `true`.
    None,
    /// A short word or number.
    Words,
    /// Anything else.
    Everywhere,
}

/// How far a value can be masked.
pub(super) fn masking(value: &str) -> Masking {
    let value = value.trim();
    let setting = SETTINGS.iter().any(|setting| value.eq_ignore_ascii_case(setting));
    // A letter or digit in a row of itself, such as a line of `=` or `-`.
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

/// Adds the forms of a secret: the value and each of its lines, without quotes and escapes too, in base64 of both
/// alphabets at each position in a longer text, and in hexadecimal.
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
                // Without the characters at both ends that the neighbours have a part in.
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
    // As it is after escapes are undone. A value in which something looks like an escape is there in two forms: printed
    // as it is, that is undone with all the others; encoded, it comes out whole.
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

/// As Python and JavaScript write it: é is `\xe9` there, which is a byte to others.
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
