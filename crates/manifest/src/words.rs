//! Helpers for the wording of messages.

/// Maximum number of candidates to compare.
const MOST: usize = 1000;

/// The candidate that was probably meant, for "Did you mean `x`?".
pub fn near<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase().replace('_', "-");
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .take(MOST)
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Formats a list: `` `a`, `b` and `c` ``.
pub fn list(words: &[&str], last: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    plain_list(&quoted.iter().map(String::as_str).collect::<Vec<_>>(), last)
}

/// Formats a list without quotes: `a, b and c`.
pub fn plain_list(words: &[&str], last: &str) -> String {
    match words {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [rest @ .., end] => format!("{} {last} {end}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let keys = ["build", "validate", "test", "working-directory"];
        assert_eq!(near("buidl", keys.into_iter()), Some("build"));
        assert_eq!(near("working_directory", keys.into_iter()), Some("working-directory"));
        assert_eq!(near("deploy", keys.into_iter()), None);
        assert_eq!(list(&["a", "b", "c"], "or"), "`a`, `b` or `c`");
    }
}
