//! Shared helpers of the parser: keys, texts and flags.

use ami_bake_manifest::diagnostic::{Diagnostic, Span};
use ami_bake_manifest::tree::Node;
use ami_bake_manifest::words;

/// Reports unknown keys.
pub(super) fn keys(node: &Node, known: &[&str], what: &str, findings: &mut Vec<Diagnostic>) {
    for entry in node.entries() {
        if !known.contains(&entry.key.as_str()) {
            let message = format!("unknown key `{}` in {what}", entry.key);
            findings
                .push(Diagnostic::error("unknown-key", entry.key_span, message).help(suggestion(&entry.key, known)));
        }
    }
}

/// Help for an unknown word: what was probably meant, or what is available.
pub(super) fn suggestion(word: &str, known: &[&str]) -> String {
    match words::near(word, known.iter().copied()) {
        Some(near) => format!("Did you mean `{near}`?"),
        None => format!("Available: {}.", words::list(known, "and")),
    }
}

/// The text of a scalar, whatever its meaning; `None` for lists and maps.
pub(super) fn text(node: &Node) -> Option<&str> {
    node.scalar().map(|scalar| scalar.text.as_str())
}

/// The text of a non-empty scalar.
pub(super) fn name(node: &Node) -> Option<&str> {
    text(node).filter(|text| !node.is_null() && !text.trim().is_empty())
}

/// Parses a boolean of YAML 1.2.
pub(crate) fn flag(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// The finding for an invalid value.
pub(super) fn wrong(span: Span, message: String) -> Diagnostic {
    Diagnostic::error("wrong-value", span, message)
}
