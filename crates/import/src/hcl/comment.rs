//! Comments of the author above blocks and beside attributes.

use std::ops::Range;

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Attribute, Body, Structure};
use hcl_edit::{Decor, Decorate, Span};

use crate::comment::may_be_copied;

/// Finds the comments beside the attributes of a body and above its nested blocks. `depth` is the number of enclosing
/// blocks. Comments above sources, builds and their steps are read with the block.
pub(super) fn collect(body: &Body, depth: usize, found: &mut dyn FnMut(Range<u32>, Vec<String>)) {
    for structure in body {
        match structure {
            Structure::Attribute(attribute) => {
                let mut lines = of_decor(attribute.decor());
                inside(&attribute.value, &mut lines, found);
                report(attribute.value.span(), lines, found);
            }
            // The comments of locals go where these are used.
            Structure::Block(block) if depth == 0 && matches!(block.ident.as_str(), "locals" | "local") => {}
            Structure::Block(block) => {
                let own = ["provisioner", "post-processor", "post-processors", "source"];
                if depth > 0 && !own.contains(&block.ident.as_str()) {
                    report(block.span(), of_decor(block.decor()), found);
                }
                // The description of a variable is read with it.
                collect(&block.body, depth + 1, found);
            }
        }
    }
}

/// What the author wrote beside an attribute and inside its value, as one comment.
pub(super) fn whole(attribute: &Attribute) -> Vec<String> {
    let mut lines = of_decor(attribute.decor());
    let mut within = Vec::new();
    inside(&attribute.value, &mut lines, &mut |_, more| within.extend(more));
    lines.extend(within);
    lines
}

/// Finds comments inside an expression. In a list they belong to the whole list, since a script has one value for all
/// of its lines; in a map each belongs to its entry.
fn inside(expr: &Expression, lines: &mut Vec<String>, found: &mut dyn FnMut(Range<u32>, Vec<String>)) {
    match expr {
        Expression::Array(items) => {
            for item in items {
                lines.extend(of_decor(item.decor()));
            }
            lines.extend(above(items.trailing().trim_end_matches([' ', '\t'])));
        }
        Expression::Object(entries) => {
            for (key, value) in entries {
                let mut own = of_decor(key.decor());
                own.extend(of_decor(value.expr().decor()));
                inside(value.expr(), &mut own, found);
                report(value.expr().span(), own, found);
            }
        }
        _ => {}
    }
}

pub(super) fn of_decor(decor: &Decor) -> Vec<String> {
    // The indentation after the last line is not an empty line.
    let mut lines = decor.prefix().map(|raw| above(raw.trim_end_matches([' ', '\t']))).unwrap_or_default();
    lines.extend(decor.suffix().map(|raw| above(raw)).unwrap_or_default());
    lines
}

fn report(span: Option<Range<usize>>, lines: Vec<String>, found: &mut dyn FnMut(Range<u32>, Vec<String>)) {
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    if let Some(span) = span.filter(|_| !lines.is_empty()) {
        found(offset(span.start)..offset(span.end), lines);
    }
}

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
    lines.retain(|line| may_be_copied(line));
    lines
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
