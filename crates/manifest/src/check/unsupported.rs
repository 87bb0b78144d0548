//! Fields whose stage comes later: refused with their line until then, never ignored.

use ami_bake_core::{Route, Segment};

use crate::diagnostic::Diagnostic;
use crate::yaml::Node;

/// Below an image, `defaults`, or an environment's images and defaults. `*` is any key or index.
const IMAGE: [&[&str]; 6] = [
    &["build", "*", "ansible"],
    &["build", "*", "chef"],
    &["validate", "*", "ansible"],
    &["validate", "*", "chef"],
    &["test", "*", "ansible"],
    &["test", "*", "chef"],
];

/// The fields that are not supported yet, for the reference.
pub(crate) fn fields() -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for pattern in IMAGE {
        let name = match pattern {
            [_, "*", verb] => (*verb).to_owned(),
            path => path.join("."),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Reports every such field of a document.
pub(crate) fn unsupported(root: &Node, findings: &mut Vec<Diagnostic>) {
    document(root, &Route::root(), findings);
    for environment in root.get("environments").map(Node::entries).unwrap_or_default() {
        let route = Route::root().key("environments").key(environment.key.as_str());
        document(&environment.value, &route, findings);
    }
}

fn document(root: &Node, route: &Route, findings: &mut Vec<Diagnostic>) {
    if let Some(defaults) = root.get("defaults") {
        image(defaults, &route.key("defaults"), findings);
    }
    for entry in root.get("images").map(Node::entries).unwrap_or_default() {
        image(&entry.value, &route.key("images").key(entry.key.as_str()), findings);
    }
}

fn image(node: &Node, route: &Route, findings: &mut Vec<Diagnostic>) {
    for pattern in IMAGE {
        visit(node, pattern, route, findings);
    }
}

fn visit(node: &Node, pattern: &[&str], route: &Route, findings: &mut Vec<Diagnostic>) {
    match pattern {
        [] => {}
        ["*", rest @ ..] => {
            for (index, item) in node.items().iter().enumerate() {
                visit(item, rest, &route.index(index), findings);
            }
        }
        [key, rest @ ..] => {
            let Some(entry) = node.entry(key) else { return };
            let route = route.key(*key);
            if !rest.is_empty() {
                return visit(&entry.value, rest, &route, findings);
            }
            let above = route.parent().0.into_iter().rev().find_map(|segment| match segment {
                Segment::Key(key) => Some(key),
                Segment::Index(_) => None,
            });
            let name = match above {
                Some(above) if above == "publish" || above == "machine" => format!("`{above}.{key}`"),
                _ => format!("`{key}`"),
            };
            findings.push(later(entry.key_span, &name, route));
        }
    }
}

fn later(span: crate::diagnostic::Span, what: &str, route: Route) -> Diagnostic {
    Diagnostic::error("not-supported-yet", span, format!("{what} is not supported yet"))
        .help("It is part of format 1 and comes with a later version; take it out until then.")
        .route(route)
}
