//! The places of values in YAML and JSON.

use std::ops::Range;

use ami_bake_manifest::diagnostic::{Diagnostic, FileId};
use ami_bake_manifest::tree::{self, Kind, Node};

use crate::format::FileFormat;

/// Parses a document.
pub(crate) fn read(format: FileFormat, text: &str) -> Result<Node, String> {
    let mut findings: Vec<Diagnostic> = Vec::new();
    let root = match format {
        FileFormat::Json => tree::parse_json(FileId::default(), text, &mut findings),
        _ => tree::parse_with_tags(FileId::default(), text, &mut findings),
    };
    match findings.into_iter().find(Diagnostic::is_error) {
        Some(finding) => Err(finding.message),
        None => root.ok_or_else(|| "it is empty".to_owned()),
    }
}

/// The value at a pointer.
pub(crate) fn find<'n>(root: &'n Node, parts: &[String]) -> Option<&'n Node> {
    parts.iter().try_fold(root, |node, part| match &node.kind {
        Kind::Map(_) => node.get(part),
        Kind::List(items) => items.get(part.parse::<usize>().ok()?),
        Kind::Scalar(_) => None,
    })
}

/// The place of the value at a pointer.
pub(crate) fn place(format: FileFormat, text: &str, parts: &[String]) -> Result<Option<Range<usize>>, String> {
    let root = read(format, text)?;
    let Some(node) = find(&root, parts) else { return Ok(None) };
    if node.as_text().is_none() {
        return Err(format!("the value there is {}, not text", node.describe()));
    }
    Ok(Some(node.span.range()))
}
