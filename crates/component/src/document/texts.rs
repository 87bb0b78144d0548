//! The texts of a step that may contain references.

use ami_bake_manifest::diagnostic::Span;
use ami_bake_manifest::tree::{Kind, Node};

use super::{Step, Turns};

/// Calls `found` with every text of a step that may contain references.
pub(crate) fn each_text(step: &Step, found: &mut dyn FnMut(&str, Span)) {
    let mut walk = |node: &Node| walk(node, found);
    if let Some(condition) = &step.assertion {
        condition.values(&mut |node| walk(node));
    } else if let Some(inputs) = &step.inputs {
        walk(inputs);
    }
    if let Some(gate) = &step.gate {
        gate.test.values(&mut |node| walk(node));
    }
    match step.repeat.as_ref().map(|repeat| &repeat.turns) {
        Some(Turns::Each(items)) => items.iter().for_each(&mut walk),
        Some(Turns::Split { list, .. }) => walk(list),
        Some(Turns::Count { .. }) | None => {}
    }
}

fn walk(node: &Node, found: &mut dyn FnMut(&str, Span)) {
    match &node.kind {
        Kind::Scalar(scalar) => found(&scalar.text, node.span),
        Kind::List(items) => items.iter().for_each(|item| walk(item, found)),
        Kind::Map(entries) => entries.iter().for_each(|entry| walk(&entry.value, found)),
    }
}
