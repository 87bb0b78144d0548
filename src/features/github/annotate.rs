//! Converts findings and failures to annotations of their lines: in the manifest, or in a file that it names.

use ami_bake_core::SourceLocation;
use ami_bake_core::event::Failure;
use ami_bake_github::runner::{Annotation, Level};
use ami_bake_manifest::Manifest;
use ami_bake_manifest::diagnostic::{Diagnostic, Severity, Sources, Span};

/// Annotations for the findings of a manifest.
pub(super) fn of_findings<'a>(
    findings: &'a [Diagnostic],
    sources: &'a Sources,
) -> impl Iterator<Item = Annotation> + 'a {
    findings.iter().map(|finding| {
        let level = match finding.severity {
            Severity::Error => Level::Error,
            Severity::Warning => Level::Warning,
            Severity::Note => Level::Notice,
        };
        let help = finding.help.as_ref().map(|help| format!("\n{help}")).unwrap_or_default();
        let annotation = Annotation::new(level, finding.code, format!("{}{help}", finding.message));
        at_span(annotation, finding.span, sources)
    })
}

/// An annotation for a failure, at its line in a file or in the manifest if it has one.
pub(super) fn of_failure(title: &str, failure: &Failure, manifest: Option<&Manifest>) -> Annotation {
    let mut message = failure.message.clone();
    for cause in &failure.causes {
        message.push_str(&format!("\n{cause}"));
    }
    // A long help text, such as a policy, is only in the log.
    if let Some(help) = failure.help.as_ref().filter(|help| help.lines().count() <= 8) {
        message.push_str(&format!("\n{help}"));
    }
    let annotation = Annotation::new(Level::Error, title, message);
    if failure.place.is_some() {
        return at_line(annotation, failure.place.as_ref());
    }
    match (manifest, &failure.route) {
        (Some(manifest), Some(route)) => at_span(annotation, Some(manifest.span(route)), manifest.sources()),
        _ => annotation,
    }
}

/// An annotation for a warning of a run, at its line in a file if it has one.
pub(super) fn of_warning(message: &str, help: Option<&str>, location: Option<&SourceLocation>) -> Annotation {
    let help = help.map(|help| format!("\n{help}")).unwrap_or_default();
    at_line(Annotation::new(Level::Warning, "ami-bake", format!("{message}{help}")), location)
}

fn at_line(annotation: Annotation, location: Option<&SourceLocation>) -> Annotation {
    let Some(location) = location else { return annotation };
    Annotation { file: Some(location.file.clone()), start: Some((location.line, 1)), ..annotation }
}

fn at_span(annotation: Annotation, span: Option<Span>, sources: &Sources) -> Annotation {
    let Some(span) = span.map(|span| sources.origin(span)) else { return annotation };
    let position = |offset| {
        let position = sources.position(span.file, offset);
        Some((position.line, position.column))
    };
    Annotation {
        file: Some(sources.name(span.file).to_owned()),
        start: position(span.start),
        end: position(span.end),
        ..annotation
    }
}
