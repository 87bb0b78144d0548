//! Parses `parameters` and `constants` (user guide, toe-user-defined-variables).

use ami_bake_manifest::diagnostic::Diagnostic;
use ami_bake_manifest::tree::{Kind, Node};

use super::Variable;
use super::values::{keys, text, wrong};

/// The variables of a document.
pub(super) fn read(root: &Node, findings: &mut Vec<Diagnostic>) -> Vec<Variable> {
    let mut all: Vec<Variable> = Vec::new();
    for (key, value, known) in [
        ("parameters", "default", &["type", "default", "description", "allowedValues"][..]),
        ("constants", "value", &["type", "value", "description"][..]),
    ] {
        let Some(list) = root.get(key).filter(|list| !list.is_null()) else { continue };
        if !matches!(list.kind, Kind::List(_)) {
            findings.push(shape(list, key, value));
            continue;
        }
        for item in list.items() {
            let [entry] = item.entries() else {
                findings.push(shape(item, key, value));
                continue;
            };
            if !matches!(entry.value.kind, Kind::Map(_)) {
                findings.push(shape(item, key, value));
                continue;
            }
            keys(&entry.value, known, key, findings);
            let name = entry.key.clone();
            let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            if !(3..=128).contains(&name.len()) || !name.chars().all(good) {
                findings.push(
                    wrong(entry.key_span, format!("`{name}` is not a valid name for a parameter or constant"))
                        .help("Use 3 to 128 letters, digits, `-` and `_`."),
                );
            }
            if all.iter().any(|other| other.name == name) {
                let message = format!("`{name}` is declared twice");
                findings.push(Diagnostic::error("same-name", entry.key_span, message));
                continue;
            }
            if let Some(kind) = entry.value.get("type")
                && text(kind) != Some("string")
            {
                findings.push(wrong(kind.span, format!("the type of `{name}` can only be `string`")));
            }
            let given = entry.value.get(value);
            if let Some(node) = given.filter(|node| node.scalar().is_none()) {
                findings
                    .push(wrong(node.span, format!("the {value} of `{name}` has to be text, not {}", node.describe())));
            }
            let allowed = entry.value.get("allowedValues").map(Node::items).unwrap_or_default();
            let allowed: Vec<String> = allowed.iter().filter_map(text).map(str::to_owned).collect();
            if let Some(node) = given
                && let Some(value) = text(node)
                && !allowed.is_empty()
                && !allowed.iter().any(|allowed| allowed == value)
            {
                findings.push(
                    wrong(node.span, format!("the default `{value}` of `{name}` is not among its `allowedValues`"))
                        .help(format!("Allowed: {}.", allowed.join(", "))),
                );
            }
            let constant = key == "constants";
            if constant && given.is_none() {
                findings.push(Diagnostic::error("missing-key", entry.key_span, format!("`{name}` has no `value`")));
            }
            all.push(Variable { name, value: given.and_then(text).map(str::to_owned), constant, allowed });
        }
    }
    all
}

fn shape(node: &Node, key: &str, value: &str) -> Diagnostic {
    wrong(node.span, format!("`{key}` has to be a list with one map for each name"))
        .help(format!("Write `- Name: {{type: string, {value}: …}}`."))
}
