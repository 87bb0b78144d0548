//! Findings and failures at their lines: of the manifest, or of a file that it names.

use ami_bake_core::event::Failure;
use ami_bake_core::{Error, SourceLocation};
use ami_bake_github::runner::{Annotation, Level};
use ami_bake_manifest::Manifest;
use ami_bake_manifest::diagnostic::{Diagnostic, Severity, Sources, Span};

use super::Action;

impl Action {
    /// Shows the findings of a manifest at their lines.
    pub(crate) fn findings(&self, findings: &[Diagnostic], sources: &Sources) {
        of_findings(findings, sources).for_each(|annotation| self.log.annotate(&annotation));
    }

    /// Shows a failure, at its line where it has one.
    pub(super) fn failure(&self, title: &str, failure: &Failure) {
        self.log.annotate(&of_failure(title, failure, self.manifest().map(AsRef::as_ref)));
    }

    /// Shows a warning of a run, at the line of a file where it has one.
    pub(super) fn warning(&self, message: &str, help: Option<&str>, place: Option<&SourceLocation>) {
        let help = help.map(|help| format!("\n{help}")).unwrap_or_default();
        let annotation = Annotation::new(Level::Warning, "ami-bake", format!("{message}{help}"));
        self.log.annotate(&at_line(annotation, place));
    }

    /// Shows the failure that ended the command.
    pub(super) fn error(&self, error: &Error) {
        self.failure("ami-bake", &Failure::from(error));
    }
}

/// The findings of a manifest as annotations of its lines.
pub(crate) fn of_findings<'a>(
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
        placed(annotation, finding.span, sources)
    })
}

fn of_failure(title: &str, failure: &Failure, manifest: Option<&Manifest>) -> Annotation {
    let mut message = failure.message.clone();
    for cause in &failure.causes {
        message.push_str(&format!("\n{cause}"));
    }
    // A help of many lines, such as a policy, is read in the log.
    if let Some(help) = failure.help.as_ref().filter(|help| help.lines().count() <= 8) {
        message.push_str(&format!("\n{help}"));
    }
    let annotation = Annotation::new(Level::Error, title, message);
    if failure.place.is_some() {
        return at_line(annotation, failure.place.as_ref());
    }
    match (manifest, &failure.route) {
        (Some(manifest), Some(route)) => placed(annotation, Some(manifest.span(route)), manifest.sources()),
        _ => annotation,
    }
}

fn at_line(annotation: Annotation, place: Option<&SourceLocation>) -> Annotation {
    let Some(place) = place else { return annotation };
    Annotation { file: Some(place.file.clone()), start: Some((place.line, 1)), ..annotation }
}

fn placed(annotation: Annotation, span: Option<Span>, sources: &Sources) -> Annotation {
    let Some(span) = span else { return annotation };
    let place = |offset| {
        let position = sources.position(span.file, offset);
        Some((position.line, position.column))
    };
    Annotation {
        file: Some(sources.name(span.file).to_owned()),
        start: place(span.start),
        end: place(span.end),
        ..annotation
    }
}
