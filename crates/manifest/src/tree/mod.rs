//! What a person wrote, as a tree whose values have locations: YAML and JSON, for manifests and for everything that is
//! imported or named by one.

use crate::diagnostic::{Diagnostic, FileId, Span};

mod json;
mod node;
mod scalar;
mod yaml;
mod yaml_error;

pub use json::parse_json;
pub use node::{Entry, Kind, Meaning, Node, Scalar};
pub use yaml::{parse, parse_with_tags};

/// A larger file was not written by hand (docs/dev/manifest.md).
const MAX_BYTES: usize = 1024 * 1024;

/// Why a file is not read.
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

/// How deep collections may nest: no document that a person wrote goes deeper, and a hostile one must not end the program.
const MAX_DEPTH: usize = 64;
