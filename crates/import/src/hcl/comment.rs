//! What the author wrote above a block.

use ami_bake_manifest::access::credential;

/// The lines of the comment directly above the end of this text.
pub(super) fn above(prefix: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut block = false;
    for line in prefix.lines() {
        let line = line.trim();
        if block {
            block = !line.contains("*/");
            lines.push(line.trim_end_matches("*/").trim_start_matches('*').trim().to_owned());
        } else if let Some(rest) = line.strip_prefix("/*") {
            block = !rest.contains("*/");
            lines.push(rest.trim_end_matches("*/").trim().to_owned());
        } else if let Some(rest) = line.strip_prefix('#').or_else(|| line.strip_prefix("//")) {
            lines.push(rest.trim_start_matches(['#', '/']).trim_end().trim_start_matches(' ').to_owned());
        } else {
            // An empty line separates a comment from what follows.
            lines.clear();
        }
    }
    lines.retain(|line| !line.is_empty() && !credential::holds(line) && !credential::given(line) && !assigns(line));
    lines
}

/// Whether a comment assigns a value to the name of a credential.
fn assigns(line: &str) -> bool {
    line.split_once('=').is_some_and(|(name, value)| credential::named(name.trim()) && !value.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::above;

    #[test]
    fn only_a_comment_directly_above_counts() {
        assert_eq!(above("\n# old\n\n# the web\n## server\n"), ["the web", "server"]);
        assert_eq!(above("/* one\n * two */\n"), ["one", "two"]);
        assert!(above("# password = hunter2\n").is_empty());
    }
}
