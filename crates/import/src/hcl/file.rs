//! Parses the text of a file.

use ami_bake_manifest::diagnostic::{Sources, Span};
use ami_bake_manifest::tree;
use hcl_edit::parser::{Error, parse_body};
use hcl_edit::structure::Body;

use super::error::TemplateError;
use super::value::HclValue;

/// Maximum size in bytes of a template, as for manifests; no hand-written one is larger.
const SIZE: usize = 1 << 20;

/// Parses an HCL file.
pub(super) fn body(file: usize, text: &str) -> Result<Body, TemplateError> {
    if text.len() > SIZE {
        let help = "Copy large files to the machine with a provisioner.".to_owned();
        return Err(TemplateError { file, span: 0..0, message: "the file is larger than 1 MiB".to_owned(), help });
    }
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    parse_body(&text[start..]).map_err(|error| invalid(file, text, start, &error))
}

fn invalid(file: usize, text: &str, start: usize, error: &Error) -> TemplateError {
    let at = (error.location().offset() + start).min(text.len());
    let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let width = text[at..].chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
    TemplateError {
        file,
        span: at..at + width,
        message: format!("invalid HCL: {}", error.message().replace('\n', ", ")),
        help: "Check it with `packer validate`.".to_owned(),
    }
}

/// Parses a variable file in JSON.
pub(super) fn json(file: usize, text: &str) -> Result<Vec<(String, HclValue)>, TemplateError> {
    let id = Sources::default().add("", text);
    let mut findings = Vec::new();
    let tree = tree::parse_json(id, text, &mut findings);
    if let Some(finding) = findings.into_iter().next() {
        let span = finding.span.map(Span::range).unwrap_or_default();
        return Err(TemplateError { file, span, message: finding.message, help: finding.help.unwrap_or_default() });
    }
    match tree.as_ref().map(HclValue::of_tree) {
        Some(HclValue::Map(entries)) => Ok(entries.into_iter().collect()),
        _ => Err(TemplateError {
            file,
            span: 0..0,
            message: "this is not a variable file".to_owned(),
            help: "Write a map of names and values.".to_owned(),
        }),
    }
}
