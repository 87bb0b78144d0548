//! A finding about a manifest.

use std::collections::HashSet;

use ami_bake_core::Route;

use super::Span;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The manifest is invalid.
    Error,
    /// The manifest is valid, but probably does not do what was meant.
    Warning,
    /// The manifest is valid; this is information.
    Note,
}

impl Severity {
    /// Name of the severity in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A finding: a problem, its location, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The severity.
    pub severity: Severity,
    /// A stable name for this kind of finding, such as `unknown-key`.
    pub code: &'static str,
    /// The problem: a lower-case sentence fragment.
    pub message: String,
    /// A label for the underlined span.
    pub label: Option<String>,
    /// What to do: a full sentence.
    pub help: Option<String>,
    /// The route in the manifest.
    pub route: Route,
    /// The span in a file, if there is one.
    pub span: Option<Span>,
    /// Another relevant span, with a label.
    pub related: Option<(Span, String)>,
}

impl Diagnostic {
    /// A finding with a span.
    pub fn new(
        severity: Severity,
        code: &'static str,
        span: impl Into<Option<Span>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            code,
            message: message.into(),
            label: None,
            help: None,
            route: Route::root(),
            span: span.into(),
            related: None,
        }
    }

    /// An error with a span.
    pub fn error(code: &'static str, span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, span, message)
    }

    /// A warning with a span.
    pub fn warning(code: &'static str, span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, span, message)
    }

    /// A note with a span.
    pub fn note(code: &'static str, span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, span, message)
    }

    /// Adds help: what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a label for the underlined span.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Sets the route.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.route = route;
        self
    }

    /// Adds another span with a label.
    #[must_use]
    pub fn related(mut self, span: Span, words: impl Into<String>) -> Self {
        self.related = Some((span, words.into()));
        self
    }

    /// Whether the finding is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Maximum number of findings; nobody reads more, and rendering each takes time.
pub const MOST_FINDINGS: usize = 200;

/// Keeps the first findings, and adds the number of the others.
pub fn limit(findings: &mut Vec<Diagnostic>) {
    if findings.len() > MOST_FINDINGS {
        let rest = findings.split_off(MOST_FINDINGS);
        let severity = rest.iter().map(|finding| finding.severity).min().unwrap_or(Severity::Note);
        let message = format!("and {} more problems", rest.len());
        findings.push(Diagnostic::new(severity, "more", None, message).help("Fix the problems above first."));
    }
}

/// Sorts findings by their position in the file, and removes duplicates.
pub fn arrange(findings: &mut Vec<Diagnostic>) {
    findings.sort_by(|a, b| (a.span, a.severity, &a.message).cmp(&(b.span, b.severity, &b.message)));
    findings.dedup_by(|a, b| a.span == b.span && a.code == b.code && a.message == b.message);
    // Of two errors about one value the one whose advice leads further: quotes do not make a value valid, and a value of
    // another type is not valid either.
    let spans = |code: &str| -> HashSet<Span> {
        findings
            .iter()
            .filter(|finding| finding.is_error() && finding.code == code)
            .filter_map(|finding| finding.span)
            .collect()
    };
    let (types, values) = (spans("wrong-type"), spans("wrong-value"));
    findings.retain(|finding| match (finding.code, finding.span) {
        ("unquoted", Some(span)) => !values.contains(&span),
        ("wrong-value", Some(span)) => !types.contains(&span),
        _ => true,
    });
}
