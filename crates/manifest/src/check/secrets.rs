//! Finds declared secrets that a manifest can't use.

use ami_bake_core::Route;

use crate::access::VisibleEnv;
use crate::diagnostic::Diagnostic;
use crate::tree::Node;

/// Reports declared secrets that ami-bake itself signs in with, in the file and in its environments.
pub(crate) fn secrets(root: &Node, findings: &mut Vec<Diagnostic>) {
    list(root.get("secrets"), &Route::root().key("secrets"), findings);
    for environment in root.get("environments").map(Node::entries).unwrap_or_default() {
        let route = Route::root().key("environments").key(environment.key.as_str()).key("secrets");
        list(environment.value.get("secrets"), &route, findings);
    }
}

fn list(list: Option<&Node>, route: &Route, findings: &mut Vec<Diagnostic>) {
    for (index, item) in list.map(Node::items).unwrap_or_default().iter().enumerate() {
        // Whether the workflow allows a secret matters when its value is read; `check` reads none.
        let Some(hidden) = item.as_text().and_then(|name| VisibleEnv::default().hidden_secret(name)) else { continue };
        let finding = Diagnostic::error("not-a-secret", item.span, hidden.message).help(hidden.help);
        findings.push(finding.route(route.index(index)));
    }
}
