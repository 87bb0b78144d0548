//! Checks that files which the manifest refers to exist.

use std::path::Path;

use ami_bake_core::Route;

use crate::access::{FileAccess, FileError};
use crate::diagnostic::Diagnostic;
use crate::expression::Template;
use crate::model::{FileKey, FileKind, STEP_TYPES};
use crate::tree::Node;

/// Checks a file with an invalid structure: only whether the files that it refers to exist.
pub(crate) fn structure_only(root: &Node, folder: &Path, access: &FileAccess, findings: &mut Vec<Diagnostic>) {
    for entry in root.get("images").map(Node::entries).unwrap_or_default() {
        image(&entry.value, &Route::root().key("images").key(entry.key.as_str()), folder, access, findings);
    }
    if let Some(defaults) = root.get("defaults") {
        image(defaults, &Route::root().key("defaults"), folder, access, findings);
    }
}

/// Checks the files of one image. Paths with expressions are checked after they are evaluated.
pub(crate) fn image(node: &Node, route: &Route, folder: &Path, access: &FileAccess, findings: &mut Vec<Diagnostic>) {
    for phase in ["build", "validate", "test"] {
        for (index, step) in node.get(phase).map(Node::items).unwrap_or_default().iter().enumerate() {
            let route = route.key(phase).index(index);
            let mut look = |key: &FileKey, node: &Node, route: Route| {
                if let Some(path) = node.as_text().filter(|path| !Template::is_one(path)) {
                    findings.extend(self::path(path, key, node, &route, folder, access));
                }
            };
            let types = STEP_TYPES.iter().filter(|known| step.get(known.key).is_some());
            for key in types.flat_map(|known| known.files) {
                let Some(node) = step.get(key.key) else { continue };
                look(key, node, route.key(key.key));
                for (index, item) in node.items().iter().enumerate() {
                    look(key, item, route.key(key.key).index(index));
                }
            }
        }
    }
}

/// Checks a path in a step.
pub(crate) fn path(
    path: &str,
    key: &FileKey,
    node: &Node,
    route: &Route,
    folder: &Path,
    access: &FileAccess,
) -> Option<Diagnostic> {
    let full = folder.join(path);
    let finding = |code, message: String| Diagnostic::error(code, node.span, message).route(route.clone());
    let shown = if folder.as_os_str().is_empty() {
        "the working directory".to_owned()
    } else {
        format!("`{}`", folder.display())
    };
    if let Err(FileError::Forbidden { message, help }) = access.locate(&full) {
        return Some(finding("file-not-allowed", message).help(help));
    }
    let Ok(meta) = std::fs::metadata(&full) else {
        return Some(
            finding("no-such-file", format!("`{path}` not found"))
                .help(format!("Paths are relative to the manifest's folder: {shown}.")),
        );
    };
    match key.kind {
        FileKind::File if !meta.is_file() => {
            Some(finding("wrong-file", format!("`{path}` is not a file")).help(key.help))
        }
        FileKind::Folder if !meta.is_dir() => {
            Some(finding("wrong-file", format!("`{path}` is not a folder")).help(key.help))
        }
        _ if path.ends_with('/') && !meta.is_dir() => Some(
            finding("wrong-file", format!("`{path}` is not a folder"))
                .help("For a single file, remove the trailing slash."),
        ),
        _ => None,
    }
}
