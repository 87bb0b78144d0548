//! The forms in which a secret's value may appear in a file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// A shorter text is found by chance.
const SHORTEST: usize = 8;

/// The texts to look for, each of one line: the value, or the longest line of one with several (a key's first line is
/// everybody's), and what base64 makes of it at each of the three positions. Empty when it is too short.
pub(super) fn forms(value: &str) -> Vec<String> {
    let plain = value.lines().map(str::trim).max_by_key(|line| line.len()).unwrap_or_default();
    if plain.len() < SHORTEST {
        return Vec::new();
    }
    let mut forms = vec![plain.to_owned()];
    for before in 0..3 {
        let bytes = [vec![0; before], plain.as_bytes().to_vec()].concat();
        let text = STANDARD_NO_PAD.encode(&bytes);
        // The characters at both ends that the neighbours have a part in.
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
