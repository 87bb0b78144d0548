//! A component document as data.

mod condition;
mod inputs;
mod model;
mod parse;
mod repeat;
mod step;
mod variables;

pub(crate) use condition::{Condition, Test};
pub(crate) use inputs::{judge_inputs, permissions};
pub(crate) use model::{Document, Gate, Repeat, Section, Step, Turns, Variable, Verdict};
pub(crate) use parse::parse;

use ami_bake_manifest::diagnostic::{Diagnostic, Span};
use ami_bake_manifest::tree::Node;
use ami_bake_manifest::words;

/// Tells of keys that nobody knows.
fn keys(node: &Node, known: &[&str], what: &str, findings: &mut Vec<Diagnostic>) {
    for entry in node.entries() {
        if !known.contains(&entry.key.as_str()) {
            let message = format!("unknown key `{}` in {what}", entry.key);
            findings.push(Diagnostic::error("unknown-key", entry.key_span, message).help(meant(&entry.key, known)));
        }
    }
}

/// What was probably meant, or what there is.
fn meant(word: &str, known: &[&str]) -> String {
    match words::near(word, known.iter().copied()) {
        Some(near) => format!("Did you mean `{near}`?"),
        None => format!("It has {}.", words::list(known, "and")),
    }
}

/// The text of a scalar, whatever it means; none for lists and maps.
fn text(node: &Node) -> Option<&str> {
    node.scalar().map(|scalar| scalar.text.as_str())
}

/// The text of a scalar that says something: a name that was left empty is none.
fn name(node: &Node) -> Option<&str> {
    text(node).filter(|text| !node.is_null() && !text.trim().is_empty())
}

/// What YAML 1.2 takes for true and false.
pub(crate) fn flag(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// A value of another kind than it has to be.
fn wrong(span: Span, message: String) -> Diagnostic {
    Diagnostic::error("wrong-value", span, message)
}
