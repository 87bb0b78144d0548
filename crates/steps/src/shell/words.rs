//! Splits a `shell:` line into words: at blanks, with single and double quotes.

use ami_bake_core::{Error, Result};

/// The words of a command line. Nothing is expanded.
///
/// # Errors
/// When a quote is not closed, or there is no word.
pub(crate) fn words(line: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in line.chars() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    if let Some(open) = quote {
        return Err(Error::manifest(format!("the shell `{line}` has an unclosed {open}")));
    }
    if words.is_empty() {
        return Err(
            Error::manifest("the shell is empty").help("Write one, such as `shell: sh -eu`, or remove the key.")
        );
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_like_a_shell_without_expanding() {
        assert_eq!(words("bash  -euo pipefail").unwrap(), ["bash", "-euo", "pipefail"]);
        assert_eq!(words("env 'a b'=\"c 'd'\" ''").unwrap(), ["env", "a b=c 'd'", ""]);
        assert!(words("sh 'x").unwrap_err().message().contains("an unclosed '"));
        assert!(words("  ").is_err());
    }
}
