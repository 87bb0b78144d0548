//! Converts CloudFormation's functions and Image Builder's placeholders to template actions.

use ami_bake_manifest::tree::{Entry, Kind, Node};

use crate::input::{InputValue, Location, Member, ValueKind};
use crate::template::{Template, call};

/// Fields whose text is not a template: documents and user data.
const VERBATIM: [&str; 4] = ["data", "Data", "commands", "content"];

/// Name of the action for a reference to a resource of the stack.
pub(super) const REFERENCE: &str = "ref";
/// Name of the action for an unsupported function of CloudFormation.
pub(super) const FUNCTION: &str = "function";
/// Name of the action for a placeholder of Image Builder.
pub(super) const PLACEHOLDER: &str = "imagebuilder";

/// Converts a document to a value of the input.
pub(crate) fn read_document(node: &Node, location: Location) -> InputValue {
    value(node, location, "")
}

/// Converts a node; `key` is the key of the enclosing field.
fn value(node: &Node, location: Location, key: &str) -> InputValue {
    let location = location.at(Some(node.span.range()));
    if let Some(template) = function(node, key) {
        return InputValue::new(ValueKind::Text(template), location);
    }
    let kind = match &node.kind {
        Kind::List(items) => {
            ValueKind::List(items.iter().enumerate().map(|(at, item)| value(item, location.index(at), key)).collect())
        }
        Kind::Map(entries) => ValueKind::Map(
            entries
                .iter()
                .map(|entry| Member {
                    key: entry.key.clone(),
                    value: value(&entry.value, location.key(&entry.key), &entry.key),
                })
                .collect(),
        ),
        Kind::Scalar(_) => match node.as_text().filter(|_| !VERBATIM.contains(&key)) {
            Some(text) => ValueKind::Text(placeholders(text)),
            None => return InputValue::of_tree(node, location),
        },
    };
    InputValue::new(kind, location)
}

/// A scalar or a function as text; `None` for lists and maps.
fn text(node: &Node, key: &str) -> Option<Template> {
    value(node, Location::default(), key).template().map(std::borrow::Cow::into_owned)
}

/// A function, written as a map with its long name (JSON) or with a tag (YAML).
fn function(node: &Node, key: &str) -> Option<Template> {
    let [Entry { key: name, value, .. }] = node.entries() else { return None };
    let name = match name.strip_prefix('!') {
        Some("Ref") => "Ref".to_owned(),
        Some(tag) => format!("Fn::{tag}"),
        None if name == "Ref" || name.starts_with("Fn::") => name.clone(),
        None => return None,
    };
    Some(evaluated(&name, value, key).unwrap_or_else(|| Template::action(call(FUNCTION, name))))
}

/// The value of a function; `None` when it is not supported.
fn evaluated(name: &str, value: &Node, key: &str) -> Option<Template> {
    let scalar = |node: &Node| node.scalar().map(|scalar| scalar.text.clone());
    let reference = |name: &str| Template::action(call(REFERENCE, name));
    match name {
        "Ref" => value.as_text().map(reference),
        "Fn::GetAtt" => {
            let target = scalar(value.items().first().unwrap_or(value))?;
            Some(reference(target.split('.').next().unwrap_or_default()))
        }
        "Fn::Sub" => {
            let (text, values) = match value.items() {
                [] => (value.as_text()?.to_owned(), None),
                [text] => (scalar(text)?, None),
                [text, values] => (scalar(text)?, Some(values)),
                _ => return None,
            };
            Some(substitute(&text, &|name| self::text(values?.get(name)?, key)))
        }
        "Fn::Join" => {
            let [separator, items] = value.items() else { return None };
            let separator = scalar(separator).unwrap_or_default();
            let mut out = Template::default();
            if !matches!(items.kind, Kind::List(_)) {
                return None;
            }
            for (at, item) in items.items().iter().enumerate() {
                if at > 0 {
                    out.extend(Template::text(separator.as_str()));
                }
                out.extend(text(item, key)?);
            }
            Some(out)
        }
        "Fn::Base64" => text(value, key),
        _ => None,
    }
}

/// Substitutes `${Name}` as `Fn::Sub` does, with its own values first; `${!x}` becomes `${x}`.
fn substitute(text: &str, values: &dyn Fn(&str) -> Option<Template>) -> Template {
    let mut out = Template::default();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let tail = &rest[at + 2..];
        let Some(end) = tail.find('}') else { break };
        out.extend(placeholders(&rest[..at]));
        let name = &tail[..end];
        out.extend(match name.strip_prefix('!') {
            Some(literal) => Template::text(format!("${{{literal}}}")),
            None => values(name)
                .unwrap_or_else(|| Template::action(call(REFERENCE, name.split('.').next().unwrap_or_default()))),
        });
        rest = &tail[end + 1..];
    }
    out.extend(placeholders(rest));
    out
}

/// Parses placeholders such as `{{ imagebuilder:buildDate }}`, which are not Go templates.
fn placeholders(text: &str) -> Template {
    let mut out = Template::default();
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        let tail = &rest[at + 2..];
        let Some(end) = tail.find("}}") else { break };
        out.extend(Template::text(&rest[..at]));
        out.extend(match tail[..end].trim().strip_prefix("imagebuilder:") {
            Some(name) => Template::action(call(PLACEHOLDER, name)),
            None => Template::text(&rest[at..at + 4 + end]),
        });
        rest = &tail[end + 2..];
    }
    out.extend(Template::text(rest));
    out
}

#[cfg(test)]
mod tests {
    use ami_bake_manifest::diagnostic::Sources;
    use ami_bake_manifest::tree::{parse_json, parse_with_tags};

    use super::*;

    /// The value of `a`, with its calls as `<function:text>`.
    fn shown(text: &str) -> String {
        let file = Sources::default().add("x", text);
        let read = if text.starts_with('{') { parse_json } else { parse_with_tags };
        let root = read_document(&read(file, text, &mut Vec::new()).unwrap(), Location::default());
        let ValueKind::Text(template) = &root.get("a").unwrap().kind else { panic!("{root:?}") };
        let mut out = String::new();
        for fragment in template.fragments() {
            match fragment {
                crate::template::Fragment::Text(text) => out.push_str(text),
                crate::template::Fragment::Action(action) => {
                    for function in [REFERENCE, FUNCTION, PLACEHOLDER] {
                        if let Some(text) = Template::action(action.clone()).call_of(function) {
                            out.push_str(&format!("<{function}:{text}>"));
                        }
                    }
                }
            }
        }
        out
    }

    #[test]
    fn functions_become_actions() {
        assert_eq!(shown(r#"{"a": {"Ref": "X"}}"#), "<ref:X>");
        assert_eq!(shown("a: !Ref X"), "<ref:X>");
        assert_eq!(shown("a: !GetAtt X.Arn"), "<ref:X>");
        assert_eq!(shown(r#"{"a": {"Fn::Sub": "n-${AWS::Region}-${!x}"}}"#), "n-<ref:AWS::Region>-${x}");
        assert_eq!(shown(r#"{"a": {"Fn::Sub": ["${N}-${R}", {"N": {"Ref": "X"}}]}}"#), "<ref:X>-<ref:R>");
        assert_eq!(shown(r#"{"a": {"Fn::Join": ["-", ["p", {"Ref": "X"}]]}}"#), "p-<ref:X>");
        assert_eq!(shown("a: !Join ['-', [p, !Ref X]]"), "p-<ref:X>");
        assert_eq!(shown(r#"{"a": {"Fn::If": ["c", "1", "2"]}}"#), "<function:Fn::If>");
        assert_eq!(shown(r#"{"a": "N {{ imagebuilder:buildDate }}"}"#), "N <imagebuilder:buildDate>");
    }
}
