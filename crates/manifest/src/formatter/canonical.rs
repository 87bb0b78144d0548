//! Formats a manifest, and refuses to change what it means.

use super::order::Place;
use super::syntax;
use super::writer::write;
use crate::diagnostic::{Diagnostic, FileId, Sources, Span};
use crate::tree::{self, Kind, Node};

/// A manifest in canonical form: keys in the order of the reference, two spaces of indentation, line ends as in its first
/// line, no byte order mark. Comments, blank lines, quotes, anchors, scalars and what is written in one line stay as they
/// are. The result is read again: it means the same, and has the same lines.
///
/// # Errors
/// When the text is not a YAML document, or could not be formatted without changing what it means.
pub fn canonical(name: &str, text: &str, sources: &mut Sources) -> Result<String, Vec<Diagnostic>> {
    let file = sources.add(name, text);
    let mut findings = Vec::new();
    let root = tree::parse(file, text, &mut findings);
    if findings.iter().any(Diagnostic::is_error) {
        return Err(findings);
    }
    let refused = |what: &str| {
        let message = format!("can't be formatted: {what}");
        let help = "The file was not changed. Format this file by hand, and report it as a bug.";
        vec![Diagnostic::error("format", Span { file, start: 0, end: 0 }, message).help(help)]
    };
    let windows = text.find('\n').is_some_and(|at| text[..at].ends_with('\r'));
    let unix = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let document = syntax::read(&unix).ok_or_else(|| refused("it was read in two ways"))?;
    let formatted = write(&unix, &document);
    if lines(&unix) != lines(&formatted) {
        return Err(refused("a line would be lost"));
    }
    let formatted = if windows { formatted.replace('\n', "\r\n") } else { formatted };
    let again = tree::parse(FileId::default(), &formatted, &mut findings);
    let is_same = match (&root, &again) {
        (Some(root), Some(again)) => same(root, again, &Place::root()),
        (None, None) => true,
        _ => false,
    };
    if findings.iter().any(Diagnostic::is_error) || !is_same {
        return Err(refused("it would mean something else"));
    }
    Ok(formatted)
}

/// The lines without what indentation and order change.
fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> =
        text.lines().map(|line| line.trim().trim_start_matches("- ").trim()).filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    lines
}

/// Whether two trees mean the same. The order of keys counts where it may mean something.
fn same(one: &Node, other: &Node, place: &Place) -> bool {
    match (&one.kind, &other.kind) {
        (Kind::Scalar(one), Kind::Scalar(other)) => one.text == other.text && one.meaning == other.meaning,
        (Kind::List(one), Kind::List(other)) => {
            let place = place.items();
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other, &place))
        }
        (Kind::Map(entries), Kind::Map(others)) if entries.len() == others.len() => {
            let keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
            let is_free = place.order(&keys).is_some();
            entries.iter().zip(others).all(|(entry, there)| {
                let partner = if is_free { other.entry(&entry.key) } else { Some(there) };
                partner.is_some_and(|partner| {
                    partner.key == entry.key && same(&entry.value, &partner.value, &place.below(&keys, &entry.key))
                })
            })
        }
        _ => false,
    }
}
