//! The forms in which a secret's value can appear in a file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Minimum length of a text to search for; shorter ones match by chance.
const SHORTEST: usize = 8;

/// The texts to search for, each of one line: the value, or the longest line if it has several (the first line of a key
/// is the same for all keys), and its base64 at each of the three offsets. Empty if the value is too short.
pub(super) fn forms(value: &str) -> Vec<String> {
    let plain = value.lines().map(str::trim).max_by_key(|line| line.len()).unwrap_or_default();
    if plain.len() < SHORTEST {
        return Vec::new();
    }
    let mut forms = vec![plain.to_owned()];
    for before in 0..3 {
        let bytes = [vec![0; before], plain.as_bytes().to_vec()].concat();
        let text = STANDARD_NO_PAD.encode(&bytes);
        // Without the characters at both ends, which depend on the neighbouring bytes too.
        let start = [0, 2, 3][before];
        let end = text.len() - usize::from(!bytes.len().is_multiple_of(3));
        if end - start >= SHORTEST {
            forms.push(text[start..end].to_owned());
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_found_at_every_position() {
        let forms = forms("correct horse");
        for before in ["", "u", "us", "user:"] {
            for after in ["", "\n", "ab"] {
                let text = STANDARD_NO_PAD.encode(format!("{before}correct horse{after}"));
                assert!(forms.iter().any(|form| text.contains(form.as_str())), "{before:?} {after:?} {text}");
            }
        }
    }

    #[test]
    fn short_values_are_not_searched_and_long_ones_by_their_longest_line() {
        assert!(forms("1234567").is_empty());
        assert_eq!(forms("-----BEGIN-----\nAAAABBBBCCCCDDDD1\nxx\n")[0], "AAAABBBBCCCCDDDD1");
    }
}
