//! Files that the manifest names.

use std::path::Path;

use ami_bake_core::Route;

use crate::diagnostic::Diagnostic;
use crate::expression::Template;
use crate::tree::Node;

/// The keys of steps that name local files or folders.
const KEYS: [&str; 9] =
    ["script", "upload", "component", "ansible", "requirements", "cookbooks", "roles", "data-bags", "environments"];

/// What can be said of a file whose structure is broken: whether the files that it names exist.
pub(crate) fn structure_only(root: &Node, folder: &Path, findings: &mut Vec<Diagnostic>) {
    for entry in root.get("images").map(Node::entries).unwrap_or_default() {
        image(&entry.value, &Route::root().key("images").key(entry.key.as_str()), folder, findings);
    }
    if let Some(defaults) = root.get("defaults") {
        image(defaults, &Route::root().key("defaults"), folder, findings);
    }
}

/// The files of one image; paths that hold expressions are looked at when they are evaluated.
pub(crate) fn image(node: &Node, route: &Route, folder: &Path, findings: &mut Vec<Diagnostic>) {
    for phase in ["build", "validate", "test"] {
        for (index, step) in node.get(phase).map(Node::items).unwrap_or_default().iter().enumerate() {
            let route = route.key(phase).index(index);
            let mut look = |key: &str, node: &Node, route: Route| {
                if let Some(path) = node.as_text().filter(|path| !Template::is_one(path)) {
                    findings.extend(self::path(path, key, node, &route, folder));
                }
            };
            for key in KEYS {
                let Some(node) = step.get(key) else { continue };
                look(key, node, route.key(key));
                for (index, item) in node.items().iter().enumerate() {
                    look(key, item, route.key(key).index(index));
                }
            }
        }
    }
}

/// What is wrong with a path that a step names.
pub(crate) fn path(path: &str, key: &str, node: &Node, route: &Route, folder: &Path) -> Option<Diagnostic> {
    let full = folder.join(path);
    let finding = |code, message: String| Diagnostic::error(code, node.span, message).route(route.clone());
    let shown = if folder.as_os_str().is_empty() {
        "the working directory".to_owned()
    } else {
        format!("`{}`", folder.display())
    };
    match std::fs::metadata(&full) {
        Err(_) => Some(
            finding("no-such-file", format!("there is no `{path}`"))
                .help(format!("Paths are relative to the manifest's folder, here {shown}.")),
        ),
        Ok(meta) if key == "script" && !meta.is_file() => Some(
            finding("wrong-file", format!("`{path}` is not a file"))
                .help("`script` takes one script file; `upload` takes folders."),
        ),
        Ok(meta) if matches!(key, "ansible" | "requirements") && !meta.is_file() => Some(
            finding("wrong-file", format!("`{path}` is not a file"))
                .help("`ansible` takes one playbook, `requirements` one file of roles and collections."),
        ),
        Ok(meta) if key == "cookbooks" && !meta.is_dir() => Some(
            finding("wrong-file", format!("`{path}` is not a folder"))
                .help("`cookbooks` takes folders in which each folder is a cookbook."),
        ),
        Ok(meta) if matches!(key, "roles" | "data-bags" | "environments") && !meta.is_dir() => {
            Some(finding("wrong-file", format!("`{path}` is not a folder")).help(format!("`{key}` takes a folder.")))
        }
        Ok(meta) if key == "component" && !meta.is_file() => Some(
            finding("wrong-file", format!("`{path}` is not a file")).help("`component` takes one component document."),
        ),
        Ok(meta) if path.ends_with('/') && !meta.is_dir() => Some(
            finding("wrong-file", format!("`{path}` is not a folder")).help("Take the slash off for a single file."),
        ),
        Ok(_) => None,
    }
}
