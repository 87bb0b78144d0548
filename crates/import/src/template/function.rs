//! Packer's text functions.

use std::collections::HashSet;

use ami_bake_manifest::budget::Exceeded;

use super::unsupported::Unsupported;
use super::words::{Words, quote};

/// Characters that Packer's Amazon plug-in keeps in names.
fn is_clean(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '(' | ')' | '[' | ']' | ' ' | '.' | '/' | '-' | '\'' | '@' | '_')
}

/// Implements `clean_resource_name`.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if is_clean(c) { c } else { '-' }).collect()
}

/// Applies a text function: fixed text is evaluated, everything else becomes an expression.
pub(super) fn apply(
    name: &str,
    text: &Words,
    arguments: &[Words],
    spend: &dyn Fn(usize) -> Result<(), Exceeded>,
    note: &mut dyn FnMut(String),
) -> Result<Words, Unsupported> {
    let argument = |index: usize| -> Result<String, Unsupported> {
        let words = arguments.get(index).ok_or_else(|| Unsupported::new(format!("`{name}` needs another argument")))?;
        words.known().ok_or_else(|| Unsupported::new(format!("an argument of `{name}` is only known during the bake")))
    };
    let known = text.known();
    if text.is_secret() {
        return Err(Unsupported::new(format!("`{name}` can't be applied to a secret"))
            .help("Store the finished value as the secret."));
    }
    match name {
        "lower" => Ok(function(text, str::to_lowercase, |code| format!("lower({code})"))),
        "clean_resource_name" | "clean_ami_name" => cleaned(text, note),
        "replace_all" => {
            let (from, to) = (argument(0)?, argument(1)?);
            spend(grown(known.as_deref(), &from, &to))?;
            Ok(function(
                text,
                |text| text.replace(&from, &to),
                |code| format!("replace({code}, {}, {})", quote(&from), quote(&to)),
            ))
        }
        "replace" => {
            let (from, to, count) = (argument(0)?, argument(1)?, argument(2)?);
            spend(grown(known.as_deref(), &from, &to))?;
            let count: i64 = count.parse().unwrap_or(-1);
            let limit = usize::try_from(count).unwrap_or(usize::MAX);
            let found = known.as_deref().map_or(usize::MAX, |known| known.matches(&from).count());
            if count >= 0 && limit < found {
                return frozen(text, |text| text.replacen(&from, &to, limit), "`replace` with a count", note);
            }
            if count >= 0 && text.literal().is_none() {
                note(format!("`replace` with the count {count}: the manifest's `replace` replaces every match"));
            }
            Ok(function(
                text,
                |text| text.replace(&from, &to),
                |code| format!("replace({code}, {}, {})", quote(&from), quote(&to)),
            ))
        }
        "split" => {
            let (separator, index) = (argument(0)?, argument(1)?);
            let index: usize = index.parse().map_err(|_| Unsupported::new("`split` needs the number of a part"))?;
            let part = |text: &str| text.split(separator.as_str()).nth(index).unwrap_or_default().to_owned();
            if separator.is_empty() {
                return frozen(text, part, "`split` between characters", note);
            }
            Ok(function(text, part, |code| format!("split({code}, {})[{index}]", quote(&separator))))
        }
        "upper" => frozen(text, str::to_uppercase, "`upper`", note),
        "trim" | "trim_space" => frozen(text, |text| text.trim().to_owned(), "`trim`", note),
        "sha256" | "sha1" | "md5" | "base64" | "join" => {
            Err(Unsupported::new(format!("the function `{name}` has no counterpart")))
        }
        _ => Err(Unsupported::new(format!("the function `{name}` has no counterpart"))),
    }
}

/// Number of bytes that a replacement adds.
fn grown(text: Option<&str>, from: &str, to: &str) -> usize {
    text.map_or(0, |text| text.matches(from).count()).saturating_mul(to.len())
}

fn function(text: &Words, compute: impl Fn(&str) -> String, code: impl Fn(&str) -> String) -> Words {
    match text.literal() {
        Some(literal) => Words::text(compute(literal)),
        None => Words::expr(code(&text.code()), text.known().map(|known| compute(&known))),
    }
}

/// Evaluates a function during the import that the manifest does not have.
fn frozen(
    text: &Words,
    compute: impl Fn(&str) -> String,
    what: &str,
    note: &mut dyn FnMut(String),
) -> Result<Words, Unsupported> {
    let known = text.known().ok_or_else(|| Unsupported::new(format!("{what} can't be evaluated before the bake")))?;
    if text.literal().is_none() {
        note(format!("{what} was evaluated during the import and no longer follows the variable"));
    }
    Ok(Words::text(compute(&known)))
}

/// Maximum number of different invalid characters: each is a call in the expression, whose nesting is limited.
const MOST_ODD: usize = 32;

/// Replaces each character that is invalid in names, as far as the value is known.
fn cleaned(text: &Words, note: &mut dyn FnMut(String)) -> Result<Words, Unsupported> {
    if let Some(literal) = text.literal() {
        return Ok(Words::text(clean(literal)));
    }
    let known = text.known();
    let mut found = HashSet::new();
    let odd = known.iter().flat_map(|known| known.chars()).filter(|c| !is_clean(*c) && found.insert(*c));
    let mut odd: Vec<char> = odd.take(MOST_ODD + 1).collect();
    if odd.len() > MOST_ODD {
        return Err(Unsupported::new("the value has too many characters that names can't have"));
    }
    if known.is_none() {
        odd = vec![':', '+', ' '];
        odd.retain(|c| !is_clean(*c));
    }
    let mut code = text.code();
    if code != "timestamp" && code != "date" {
        note(
            "`clean_resource_name` replaces every invalid character; the manifest's `replace` only the listed ones"
                .to_owned(),
        );
    } else {
        odd.clear();
    }
    for c in odd {
        code = format!("replace({code}, {}, '-')", quote(&c.to_string()));
    }
    Ok(Words::expr(code, known.map(|known| clean(&known))))
}
