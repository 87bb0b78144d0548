//! `loop` (user guide, toe-looping-constructs).

use ami_bake_manifest::diagnostic::Diagnostic;
use ami_bake_manifest::tree::{Kind, Node};

use super::values::{keys, name, text, wrong};
use super::{Loop, Turns};

/// Delimiters between the parts of a list.
const DELIMITERS: [&str; 9] = [".", ",", ";", ":", "\n", "\t", " ", "-", "_"];

/// Parses a `loop`.
pub(super) fn read(node: &Node, findings: &mut Vec<Diagnostic>) -> Option<Loop> {
    keys(node, &["name", "for", "forEach"], "a loop", findings);
    let name = node.get("name").and_then(name).map(str::to_owned);
    let turns = match (node.get("for"), node.get("forEach")) {
        (Some(count), None) => counted(count, findings)?,
        (None, Some(each)) => match &each.kind {
            Kind::List(items) => {
                if items.is_empty() {
                    let message = "the list of `forEach` is empty: the step never runs";
                    findings.push(Diagnostic::warning("no-turns", each.span, message));
                }
                for item in items.iter().filter(|item| item.scalar().is_none()) {
                    findings.push(wrong(
                        item.span,
                        format!("an item of `forEach` has to be text, not {}", item.describe()),
                    ));
                }
                Turns::Each(items.clone())
            }
            Kind::Map(_) => split(each, findings)?,
            Kind::Scalar(_) => {
                let message = "`forEach` has to be a list, or a map of `list` and `delimiter`".to_owned();
                findings.push(wrong(each.span, message));
                return None;
            }
        },
        _ => {
            findings.push(wrong(node.span, "a loop requires either `for` or `forEach`".to_owned()));
            return None;
        }
    };
    Some(Loop { name, turns })
}

fn counted(node: &Node, findings: &mut Vec<Diagnostic>) -> Option<Turns> {
    keys(node, &["start", "end", "updateBy"], "`for`", findings);
    let mut number = |key: &str| -> Option<i64> {
        let Some(given) = node.get(key) else {
            findings.push(Diagnostic::error("missing-key", node.span, format!("`for` has no `{key}`")));
            return None;
        };
        let number = text(given).and_then(|text| text.parse().ok());
        if number.is_none() {
            findings.push(wrong(given.span, format!("`{key}` has to be a whole number")));
        }
        number
    };
    let (start, end, by) = (number("start"), number("end"), number("updateBy"));
    let (start, end, by) = (start?, end?, by?);
    let endless = by == 0 || (by > 0 && start > end) || (by < 0 && start < end);
    if endless {
        findings.push(
            wrong(node.span, format!("the loop would never get from {start} to {end} in steps of {by}"))
                .help("Give `updateBy` the sign that leads from `start` to `end`."),
        );
        return None;
    }
    Some(Turns::Count { start, end, by })
}

fn split(node: &Node, findings: &mut Vec<Diagnostic>) -> Option<Turns> {
    keys(node, &["list", "delimiter"], "`forEach`", findings);
    let Some(list) = node.get("list").filter(|list| list.scalar().is_some()) else {
        findings.push(Diagnostic::error("missing-key", node.span, "`forEach` requires `list`"));
        return None;
    };
    let delimiter = match node.get("delimiter").and_then(text) {
        None => ",",
        Some("\\n") => "\n",
        Some("\\t") => "\t",
        Some(text) if DELIMITERS.contains(&text) => text,
        Some(text) => {
            let message = format!("`{text}` is not a valid delimiter");
            findings.push(
                wrong(node.span, message)
                    .help("Use one of `.`, `,`, `;`, `:`, `-`, `_`, a blank, \"\\t\" and \"\\n\"."),
            );
            return None;
        }
    };
    Some(Turns::Split { list: list.clone(), delimiter: delimiter.to_owned() })
}
