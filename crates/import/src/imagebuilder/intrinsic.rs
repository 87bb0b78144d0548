//! CloudFormation's functions and Image Builder's own placeholders as templates that the rest of the import evaluates.

use crate::json::{Kind, Member, Node};

/// Rewrites a document: functions become texts, placeholders become calls.
pub(crate) fn plain(node: Node) -> Node {
    let template = node.members().iter().any(|member| member.key == "builders" || member.key == "provisioners");
    if template { node } else { rewrite(node, "") }
}

fn rewrite(node: Node, key: &str) -> Node {
    let Node { kind, span } = node;
    let kind = match kind {
        // Documents and user data are text of their own.
        Kind::Text(text) if !matches!(key, "data" | "Data" | "commands" | "content") => Kind::Text(placeholders(&text)),
        Kind::List(items) => Kind::List(items.into_iter().map(|item| rewrite(item, key)).collect()),
        Kind::Map(members) => match members.as_slice() {
            [Member { key: name, value }] if name == "Ref" || name.starts_with("Fn::") => {
                Kind::Text(function(name, value, key))
            }
            _ => {
                let member = |member: Member| Member { value: rewrite(member.value, &member.key), key: member.key };
                Kind::Map(members.into_iter().map(member).collect())
            }
        },
        other => other,
    };
    Node { kind, span }
}

/// One of CloudFormation's functions.
fn function(name: &str, value: &Node, key: &str) -> String {
    let unknown = || format!("{{{{function `{}`}}}}", name.replace('`', ""));
    let reference = |name: &str| format!("{{{{ref `{}`}}}}", name.replace('`', ""));
    match (name, &value.kind) {
        ("Ref", Kind::Text(target)) => reference(target),
        ("Fn::GetAtt", Kind::Text(target)) => reference(target.split('.').next().unwrap_or_default()),
        ("Fn::GetAtt", Kind::List(parts)) => parts.first().and_then(Node::scalar).map_or_else(unknown, reference),
        ("Fn::Sub", Kind::Text(text)) => substitute(text, &[]),
        ("Fn::Sub", Kind::List(parts)) if matches!(parts.len(), 1 | 2) => {
            let values = parts.get(1).map(Node::members).unwrap_or_default();
            let values: Vec<(&str, Option<String>)> = values
                .iter()
                .map(|member| (member.key.as_str(), rewrite(member.value.clone(), key).scalar().map(str::to_owned)))
                .collect();
            parts[0].scalar().map_or_else(unknown, |text| substitute(text, &values))
        }
        ("Fn::Join", Kind::List(parts)) => {
            let [separator, items] = parts.as_slice() else { return unknown() };
            let Kind::List(items) = &items.kind else { return unknown() };
            let texts: Vec<String> =
                items.iter().filter_map(|item| rewrite(item.clone(), key).scalar().map(str::to_owned)).collect();
            if texts.len() < items.len() { unknown() } else { texts.join(separator.scalar().unwrap_or_default()) }
        }
        ("Fn::Base64", _) => {
            let inner = rewrite(value.clone(), key);
            inner.scalar().map_or_else(unknown, str::to_owned)
        }
        _ => unknown(),
    }
}

/// `${Name}` of `Fn::Sub`, with values of its own first; `${!x}` is `${x}`.
fn substitute(text: &str, values: &[(&str, Option<String>)]) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 2..];
        let Some(end) = tail.find('}') else {
            out.push_str(&rest[at..]);
            return out;
        };
        let name = &tail[..end];
        match name.strip_prefix('!') {
            Some(literal) => out.push_str(&format!("${{{literal}}}")),
            None if values.iter().any(|(own, value)| *own == name && value.is_some()) => {
                let value = values.iter().find(|(own, _)| *own == name).and_then(|(_, value)| value.as_deref());
                out.push_str(value.unwrap_or_default());
            }
            None => {
                out.push_str(&format!("{{{{ref `{}`}}}}", name.split('.').next().unwrap_or_default().replace('`', "")));
            }
        }
        rest = &tail[end + 1..];
    }
    out.push_str(rest);
    placeholders(&out)
}

/// `{{ imagebuilder:buildDate }}` is no template of Go's.
fn placeholders(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        let tail = &rest[at + 2..];
        let Some(end) = tail.find("}}") else { break };
        let inner = tail[..end].trim();
        out.push_str(&rest[..at]);
        match inner.strip_prefix("imagebuilder:") {
            Some(name) => out.push_str(&format!("{{{{imagebuilder `{}`}}}}", name.replace('`', ""))),
            None => out.push_str(&rest[at..at + 4 + end]),
        }
        rest = &tail[end + 2..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str) -> String {
        let node = rewrite(crate::json::parse(json).unwrap(), "");
        node.get("a").and_then(Node::scalar).unwrap_or_default().to_owned()
    }

    #[test]
    fn functions_become_texts() {
        assert_eq!(shown(r#"{"a": {"Ref": "X"}}"#), "{{ref `X`}}");
        assert_eq!(shown(r#"{"a": {"Fn::Sub": "n-${AWS::Region}-${!x}"}}"#), "n-{{ref `AWS::Region`}}-${x}");
        assert_eq!(shown(r#"{"a": {"Fn::Sub": ["${N}-${R}", {"N": {"Ref": "X"}}]}}"#), "{{ref `X`}}-{{ref `R`}}");
        assert_eq!(shown(r#"{"a": {"Fn::Join": ["-", ["p", {"Ref": "X"}]]}}"#), "p-{{ref `X`}}");
        assert_eq!(shown(r#"{"a": {"Fn::If": ["c", "1", "2"]}}"#), "{{function `Fn::If`}}");
        assert_eq!(shown(r#"{"a": "N {{ imagebuilder:buildDate }}"}"#), "N {{imagebuilder `buildDate`}}");
    }
}
