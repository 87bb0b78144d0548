//! Quoting for POSIX shells. Every command line that this workspace builds is quoted here.

/// `word` as a single word of a POSIX shell, quoted if necessary.
pub fn quote(word: &str) -> String {
    // NUL is passed through, and the machine reports it: shells can't quote it.
    let quoted = shlex::Quoter::new().allow_nul(true).quote(word);
    // With NUL allowed no word is refused (shlex, `QuoteError`).
    quoted.map_or_else(|_| "''".to_owned(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_survives_a_real_shell() {
        for word in
            ["", "plain", "a b", "it's", "''", "$HOME `id` \\ \" \n tab\t", "-n", "ünï", "*", "~root", "a!b", "^x"]
        {
            let output = std::process::Command::new("/bin/sh")
                .args(["-c", &format!("printf %s {}", quote(word))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }

    #[test]
    fn plain_words_stay_plain() {
        assert_eq!(quote("/srv/app-1.2/x_y"), "/srv/app-1.2/x_y");
        assert_eq!(quote("id -u"), "'id -u'");
    }
}
