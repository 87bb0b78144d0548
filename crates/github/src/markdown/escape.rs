//! Escapes text of machines and strangers for Markdown. No crate covers GitHub's mentions, references and autolinks.

use std::fmt::Write as _;

use ami_bake_core::mask::Masker;
use ami_bake_core::output::sanitize;

/// Maximum characters of an inline text; the report has the whole text.
const INLINE_LIMIT: usize = 400;

/// Escapes foreign text and masks secrets in it: GitHub masks logs, but neither comments nor release notes.
#[derive(Debug, Clone, Copy)]
pub struct Escape<'a> {
    masker: &'a Masker,
}

impl<'a> Escape<'a> {
    /// Masks the secrets of `masker`.
    pub fn new(masker: &'a Masker) -> Self {
        Self { masker }
    }

    /// A name, an ID or a version as code, in which GitHub does not look for mentions, references or URLs.
    ///
    /// Tags and character references are used instead of backticks, because text can't break out of them, not even in a
    /// table (a character reference is never structure: CommonMark 0.31, 2.5).
    pub fn code(self, text: &str) -> String {
        let text = self.line(text);
        if text.is_empty() { String::new() } else { format!("<code>{}</code>", references(&text, false)) }
    }

    /// A sentence of this program, which may quote foreign text. Text between backticks becomes code.
    pub fn text(self, text: &str) -> String {
        let text = self.line(text);
        let parts: Vec<&str> = text.split('`').collect();
        let closed = parts.len() % 2 == 1;
        let mut out = String::with_capacity(text.len());
        for (index, part) in parts.iter().enumerate() {
            let code = index % 2 == 1 && (closed || index + 1 < parts.len());
            if code {
                let _ = write!(out, "<code>{}</code>", references(part, false));
            } else {
                if index % 2 == 1 {
                    out.push_str("&#96;");
                }
                out.push_str(&references(part, true));
            }
        }
        out
    }

    /// Lines that a machine printed, for a fenced code block. HTML comments in them are broken, since markers are
    /// comments.
    pub fn fence(self, lines: &[String]) -> Vec<String> {
        let clean: Vec<String> = lines.iter().map(|line| sanitize(line)).collect();
        // All lines at once: a secret may be broken over several.
        let masked = self.masker.mask(&clean.join("\n")).replace("<!--", "<!\u{200b}--");
        masked.split('\n').take(lines.len()).map(str::to_owned).collect()
    }

    /// One line, masked and shortened.
    fn line(self, text: &str) -> String {
        let spaced: Vec<&str> = text.split_whitespace().collect();
        let masked = self.masker.mask(&sanitize(&spaced.join(" ")));
        match masked.char_indices().nth(INLINE_LIMIT) {
            Some((end, _)) => format!("{}…", &masked[..end]),
            None => masked,
        }
    }
}

/// The fence for these lines: longer than any run of backticks in them.
pub(super) fn fence_of<'a>(lines: impl IntoIterator<Item = &'a String>) -> String {
    let longest = lines.into_iter().flat_map(|line| line.split(|c| c != '`').map(str::len)).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

/// Writes every character that is special to Markdown, HTML or GitHub's filters as a numeric reference. With `prose`,
/// mentions and references are broken with zero-width spaces too, since GitHub looks for them after resolving
/// references.
fn references(text: &str, prose: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut last = ' ';
    for character in text.chars() {
        let special = match character {
            '&' | '<' | '>' | '`' | '*' | '_' | '~' | '[' | ']' | '|' | '\\' | '$' | '#' | '@' | ':' => true,
            // GitHub also links `www.`.
            '.' => last.eq_ignore_ascii_case(&'w'),
            _ => false,
        };
        // The first zero-width space breaks e-mail addresses, the one after it mentions.
        if prose && character == '@' {
            out.push('\u{200b}');
        }
        if special {
            let _ = write!(out, "&#{};", u32::from(character));
        } else {
            out.push(character);
        }
        if prose && matches!(character, '@' | '#') {
            out.push('\u{200b}');
        }
        last = character;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(secret: &str, f: impl FnOnce(Escape<'_>) -> T) -> T {
        let masker = Masker::default();
        masker.add(secret);
        f(Escape::new(&masker))
    }

    #[test]
    fn no_character_of_a_name_is_structure() {
        let hostile = "a|b`c`<!-- ami-bake x --></code><img src=x>@team #1 [x](https://evil) www.evil \\|\n# h";
        let code = with("swordfish", |escape| escape.code(hostile));
        let inner = code.strip_prefix("<code>").and_then(|code| code.strip_suffix("</code>")).unwrap();
        let allowed = |c: char| c.is_ascii_alphanumeric() || "&#;()-/=.! ".contains(c);
        assert!(inner.chars().all(allowed), "{inner}");
        // The remaining `#` and `;` belong to references.
        assert_eq!(inner.matches('&').count(), inner.matches(';').count());
        assert_eq!(inner.matches("&#").count(), inner.matches('#').count());
        assert!(inner.contains("www&#46;evil") && inner.contains("https&#58;//evil"), "{inner}");
    }

    #[test]
    fn prose_mentions_nobody_and_keeps_its_code() {
        let text = with("swordfish", |escape| escape.text("ask @team in #12, run `ami-bake sweep` or `this"));
        assert_eq!(
            text,
            "ask \u{200b}&#64;\u{200b}team in &#35;\u{200b}12, run <code>ami-bake sweep</code> or &#96;this"
        );
    }

    #[test]
    fn secrets_go_before_they_are_encoded() {
        let (code, text, fence) = with("p@ss|word", |escape| {
            (escape.code("x p@ss|word"), escape.text("x p@ss|word"), escape.fence(&["x p@ss|word".to_owned()]))
        });
        assert_eq!((code.as_str(), text.as_str()), ("<code>x &#42;&#42;&#42;</code>", "x &#42;&#42;&#42;"));
        assert_eq!(fence, ["x ***"]);
    }

    #[test]
    fn long_names_end_with_a_sign() {
        let code = with("swordfish", |escape| escape.code(&"x".repeat(10_000)));
        assert!(code.len() < 500 && code.ends_with("…</code>"));
    }

    #[test]
    fn a_log_neither_closes_its_fence_nor_forges_a_marker() {
        let lines = with("swordfish", |escape| {
            escape.fence(&["````".to_owned(), "<!-- ami-bake x -->".to_owned(), "\u{1b}[31mred".to_owned()])
        });
        assert_eq!(fence_of(&lines), "`````");
        assert!(!lines.concat().contains("<!--") && lines[2] == "red", "{lines:?}");
    }
}
