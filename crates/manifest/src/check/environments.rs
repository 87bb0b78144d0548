//! Checks environments against the file that they are merged over.

use ami_bake_core::Route;

use crate::access::PREFIX;
use crate::diagnostic::Diagnostic;
use crate::options::Options;
use crate::tree::Node;
use crate::words;

/// Reports variables in environments that the file does not declare.
pub(crate) fn environments(root: &Node, findings: &mut Vec<Diagnostic>) {
    let known: Vec<&str> =
        root.get("vars").map(Node::entries).unwrap_or_default().iter().map(|entry| entry.key.as_str()).collect();
    for environment in root.get("environments").map(Node::entries).unwrap_or_default() {
        for entry in environment.value.get("vars").map(Node::entries).unwrap_or_default() {
            if known.contains(&entry.key.as_str()) {
                continue;
            }
            let message = format!("the environment `{}` sets the undeclared variable `{}`", environment.key, entry.key);
            let route =
                Route::root().key("environments").key(environment.key.as_str()).key("vars").key(entry.key.as_str());
            let finding = Diagnostic::error("unknown-variable", entry.key_span, message).route(route);
            findings.push(finding.help(match words::near(&entry.key, known.iter().copied()) {
                Some(near) => format!("Did you mean `{near}`?"),
                None => format!("Declare it below `vars`; `{}: null` makes it required.", entry.key),
            }));
        }
    }
}

/// Whether every variable has a value without an environment.
pub(crate) fn complete(root: &Node, options: &Options) -> bool {
    let given = |name: &str| {
        options.sets.iter().any(|(set, _)| set == name)
            || options.env.get(&format!("{PREFIX}{}", name.replace('-', "_"))).is_some()
    };
    let vars = root.get("vars").map(Node::entries).unwrap_or_default();
    let sourced = root.get("images").is_some();
    sourced && vars.iter().all(|entry| !entry.value.is_null() || given(&entry.key))
}
