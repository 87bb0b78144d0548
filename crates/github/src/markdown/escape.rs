//! Text that machines and strangers made, as Markdown that shows it and does nothing else.

use std::fmt::Write as _;

use ami_bake_core::mask::Masker;
use ami_bake_core::output::sanitize;

/// An inline text longer than this tells nothing more; the whole of it is in the report's file.
const INLINE_LIMIT: usize = 400;

/// Makes foreign text harmless, with the known secrets out of it: GitHub masks what stands in a log, and neither comments
/// nor release notes.
#[derive(Debug, Clone, Copy)]
pub struct Escape<'a> {
    masker: &'a Masker,
}

impl<'a> Escape<'a> {
    /// Text is masked by `masker`.
    pub fn new(masker: &'a Masker) -> Self {
        Self { masker }
    }

    /// A name, an id, a version: as code, where GitHub looks for no mention, reference or address.
    ///
    /// Tags and character references instead of backticks: these can't be broken out of, in a table's cell neither
    /// (a character reference never is structure: CommonMark 0.31, 2.5).
    pub fn code(self, text: &str) -> String {
        let text = self.line(text);
        if text.is_empty() { String::new() } else { format!("<code>{}</code>", references(&text, false)) }
    }

    /// A sentence of this program, which may quote what others made. What stands between backticks is code.
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

    /// Lines that a machine printed, in a fence that none of them closes. A marker of ours in them is broken.
    pub fn fence(self, lines: &[String]) -> Vec<String> {
        lines.iter().map(|line| self.masker.mask(&sanitize(line)).replace("<!--", "<!\u{200b}--")).collect()
    }

    /// One line, masked, of bearable length.
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

/// Everything that Markdown, HTML or GitHub's filters could read as more than itself, as numeric references. `prose`: also
/// what GitHub looks for outside of code, broken by a space without width, since it looks after references are resolved.
fn references(text: &str, prose: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut last = ' ';
    for character in text.chars() {
        let special = match character {
            '&' | '<' | '>' | '`' | '*' | '_' | '~' | '[' | ']' | '|' | '\\' | '$' | '#' | '@' | ':' => true,
            // `www.` is an address to GitHub.
            '.' => last.eq_ignore_ascii_case(&'w'),
            _ => false,
        };
        // A zero-width space before the sign ends the word that would make an address of it, after it the name.
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
        // What is left of `#` and `;` belongs to references.
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
