//! Reads documents that are about to run: the first problem is an error.

use std::path::Path;

use ami_bake_core::plan::Inputs;
use ami_bake_core::{Error, Result};
use ami_bake_manifest::diagnostic::{Diagnostic, Sources};

use super::{Document, parse, validate_inputs};

/// Reads a document from its file.
///
/// # Errors
/// When the file can't be read, or the document is invalid.
pub(crate) fn read(path: &Path, inputs: &Inputs) -> Result<Document> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::build(format!("could not read the component document {}", path.display())).because(error)
    })?;
    if !inputs.has(path, text.as_bytes()) {
        return Err(Error::build(format!("the component document {} changed while baking", path.display()))
            .help("Local files must not change during a bake."));
    }
    read_text(&path.display().to_string(), &text)
}

/// Reads a document from its text; messages call it `name`.
///
/// # Errors
/// The first problem in the document, with its location.
pub(crate) fn read_text(name: &str, text: &str) -> Result<Document> {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    let mut findings: Vec<Diagnostic> = Vec::new();
    let document = parse(file, &sources, &mut findings);
    if let Some(document) = &document {
        let steps = document.phases.iter().flat_map(|phase| &phase.steps);
        steps.for_each(|step| validate_inputs(step, &mut findings));
    }
    match (document, findings.into_iter().find(Diagnostic::is_error)) {
        (Some(document), None) => Ok(document),
        (_, Some(finding)) => {
            let place = finding.span.map_or_else(String::new, |span| {
                let at = sources.position(span.file, span.start);
                format!(":{}:{}", at.line, at.column)
            });
            let error = Error::manifest(format!("{name}{place}: {}", finding.message));
            Err(match finding.help {
                Some(help) => error.help(help),
                None => error,
            })
        }
        (None, None) => Err(Error::manifest(format!("{name} is not a component document"))),
    }
}
