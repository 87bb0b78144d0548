//! Formats JSON for standard output so that the parsed values are exactly the original ones.

use std::fmt::Write as _;

use ami_bake_core::invisible::is_invisible;
use ami_bake_core::mask::{Masker, mask_json};
use serde_json::Value;

/// A value as JSON with secrets masked, on several lines or on one.
pub(crate) fn json_text(value: &Value, masker: &Masker, one_line: bool) -> String {
    let mut value = value.clone();
    mask_json(&mut value, masker);
    let text = if one_line { value.to_string() } else { format!("{value:#}") };
    escaped(&text) + "\n"
}

/// Escapes with `\u` everything that a terminal or the runner of a workflow would act on. It only occurs within
/// strings: no line of JSON begins with `::`, and an escape means the same to every JSON parser.
pub(super) fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if character != '\n' && is_invisible(character) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(character);
        }
    }
    text.replace("##[", "#\\u0023[")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_change_no_value() {
        let value = serde_json::json!({
            "::error::k": "##[error]x #\u{200b}#[y] \u{1b}[31m \u{9b} \u{202e} \u{e0001} \r\n::a\u{7f}",
            "list": ["::set-output name=a::b", "é€\u{1f511}"],
        });
        for one_line in [true, false] {
            let text = json_text(&value, &Masker::default(), one_line);
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
            assert!(!text.contains("##[") && text.contains("é€\u{1f511}"), "{text}");
            assert!(!text.chars().any(|next| next != '\n' && is_invisible(next)), "{text}");
            assert!(!text.lines().any(|line| line.trim_start().starts_with("::")), "{text}");
        }
    }
}
