//! Finds steps that are never cached, because a value in them changes with every run.

use crate::diagnostic::{Diagnostic, Span};
use crate::expression::{Piece, Template};
use crate::tree::{Kind, Node};

/// Adds a note for each step with a value that changes with every run.
pub(crate) fn moving(root: &Node, findings: &mut Vec<Diagnostic>) {
    let images = root.get("images").map(Node::entries).unwrap_or_default().iter().map(|entry| &entry.value);
    for image in images.chain(root.get("defaults")) {
        for phase in ["build", "validate", "test"] {
            for step in image.get(phase).map(Node::items).unwrap_or_default() {
                let mut found = None;
                find(step, &mut found);
                if let Some((name, span)) = found {
                    findings.push(
                        Diagnostic::note(
                            "never-cached",
                            span,
                            format!("`{name}` changes with every run, so this image is never cached"),
                        )
                        .help("If the image itself does not need it, use it in `publish` (tags, description) instead."),
                    );
                }
            }
        }
    }
}

fn find(node: &Node, found: &mut Option<(String, Span)>) {
    match &node.kind {
        Kind::Map(entries) => entries.iter().for_each(|entry| find(&entry.value, found)),
        Kind::List(items) => items.iter().for_each(|item| find(item, found)),
        Kind::Scalar(scalar) => {
            if found.is_some() || !Template::is_one(&scalar.text) {
                return;
            }
            let Ok(template) = Template::parse(&scalar.text) else { return };
            for piece in &template.pieces {
                let Piece::Expr { expr, .. } = piece else { continue };
                expr.accesses(&mut |access| {
                    if let Some(name) = access.moving() {
                        found.get_or_insert((name, node.span));
                    }
                });
            }
        }
    }
}
