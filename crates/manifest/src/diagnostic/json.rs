//! Formats findings as JSON, for `--json`.

use serde_json::{Value, json};

use super::{Diagnostic, Sources, Span};

/// The findings as an array of objects: `severity`, `code`, `message`, and, if present, `label`, `help`, `route`,
/// `file`, `line`, `column`, `end-line`, `end-column` (starting at 1, columns in characters, the end is exclusive) and
/// `related`.
pub fn json(findings: &[Diagnostic], sources: &Sources) -> Value {
    findings.iter().map(|finding| object(finding, sources)).collect()
}

fn object(finding: &Diagnostic, sources: &Sources) -> Value {
    let mut object = json!({
        "severity": finding.severity.as_str(),
        "code": finding.code,
        "message": finding.message,
    });
    if let Some(label) = &finding.label {
        object["label"] = label.as_str().into();
    }
    if let Some(help) = &finding.help {
        object["help"] = help.as_str().into();
    }
    if !finding.route.0.is_empty() {
        object["route"] = finding.route.to_string().into();
    }
    if let Some(span) = finding.span {
        place(&mut object, sources, span);
    }
    if let Some((span, words)) = &finding.related {
        let mut related = json!({ "message": words });
        place(&mut related, sources, *span);
        object["related"] = related;
    }
    object
}

fn place(object: &mut Value, sources: &Sources, span: Span) {
    let span = sources.origin(span);
    let start = sources.position(span.file, span.start);
    let end = sources.position(span.file, span.end);
    object["file"] = sources.name(span.file).into();
    object["line"] = start.line.into();
    object["column"] = start.column.into();
    object["end-line"] = end.line.into();
    object["end-column"] = end.column.into();
}
