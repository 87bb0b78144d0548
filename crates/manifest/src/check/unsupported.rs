//! Fields whose stage comes later: refused with their line until then, never ignored.

use ami_bake_core::{Route, Segment};

use crate::diagnostic::Diagnostic;
use crate::yaml::Node;

/// Below an image, `defaults`, or an environment's images and defaults. `*` is any key or index.
const IMAGE: [&[&str]; 7] = [
    &["publish", "targets"],
    &["build", "*", "ansible"],
    &["build", "*", "chef"],
    &["validate", "*", "ansible"],
    &["validate", "*", "chef"],
    &["test", "*", "ansible"],
    &["test", "*", "chef"],
];

/// Below an image, not supported yet but on the platforms `local` and `docker`.
const KEEP: [&str; 2] = ["publish", "keep"];

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

/// Reports every such field of a document. `chosen` is the caller's platform.
pub(crate) fn unsupported(root: &Node, chosen: Option<&str>, findings: &mut Vec<Diagnostic>) {
    let of = |node: &Node| node.get("platform").and_then(Node::as_text).map(str::to_owned);
    let own = of(root);
    let keeps = |platform: Option<&str>| {
        chosen.or(platform).or(own.as_deref()).is_some_and(|platform| matches!(platform, "local" | "docker"))
    };
    document(root, &Route::root(), keeps(None), findings);
    for environment in root.get("environments").map(Node::entries).unwrap_or_default() {
        let route = Route::root().key("environments").key(environment.key.as_str());
        document(&environment.value, &route, keeps(of(&environment.value).as_deref()), findings);
    }
}

fn document(root: &Node, route: &Route, keeps: bool, findings: &mut Vec<Diagnostic>) {
    if let Some(defaults) = root.get("defaults") {
        image(defaults, &route.key("defaults"), keeps, findings);
    }
    for entry in root.get("images").map(Node::entries).unwrap_or_default() {
        image(&entry.value, &route.key("images").key(entry.key.as_str()), keeps, findings);
    }
}

fn image(node: &Node, route: &Route, keeps: bool, findings: &mut Vec<Diagnostic>) {
    if !keeps {
        visit(node, &KEEP, route, findings);
    }
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
