//! YAML and JSON as a tree whose values have locations, for manifests and all files that are imported or named by one.

use crate::diagnostic::{Diagnostic, FileId, Span};

mod json;
mod node;
mod scalar;
mod yaml;
mod yaml_error;

pub use json::parse_json;
pub use node::{Entry, Kind, Meaning, Node, Scalar};
pub use yaml::{parse, parse_with_tags};

/// Maximum size of a file in bytes; no hand-written one is larger (docs/dev/manifest.md).
const MAX_BYTES: usize = 1024 * 1024;

/// The error for a file that exceeds the limit.
fn too_large(file: FileId, text: &str) -> Option<Diagnostic> {
    let size = text.len() / 1024;
    (text.len() > MAX_BYTES).then(|| {
        Diagnostic::error(
            "too-large",
            Span { file, start: 0, end: 0 },
            format!("the file is {size} KiB; the limit is 1 MiB"),
        )
        .help("Move scripts into separate files and use `script`.")
    })
}

/// Maximum nesting of collections: no hand-written document goes deeper, and a malicious one must not end the program.
const MAX_DEPTH: usize = 64;
