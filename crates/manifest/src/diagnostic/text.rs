//! Formats findings as text: the source line, the underlined span, and what to do.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str};

use super::{Diagnostic, Severity, Sources, Span};

/// Whether the text is colored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// No escape sequences.
    Plain,
    /// Colors and bold text for terminals.
    Coloured,
}

/// Renders findings, separated by empty lines.
pub fn text(findings: &[Diagnostic], sources: &Sources, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    }
    .decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    for finding in findings {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&renderer.render(&[group(finding, sources)]));
        out.push('\n');
    }
    out
}

fn group<'a>(finding: &'a Diagnostic, sources: &'a Sources) -> Group<'a> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(quoted(&finding.message)).id(finding.code);
    let mut group = Group::with_title(title);
    let related = finding.related.as_ref().map(|(span, words)| (sources.origin(*span), words));
    let shown = finding.span.map(|span| sources.origin(span));
    if let Some(span) = shown.filter(|span| sources.is_private(span.file)) {
        let at = sources.position(span.file, span.start);
        let name = quoted(sources.name(span.file));
        group = group.element(Origin::path(name).line(at.line).char_column(at.column));
    } else if let Some(span) = shown {
        let mut snippet = Snippet::source(sources.text(span.file)).path(quoted(sources.name(span.file))).fold(true);
        let range = clamp(sources, span);
        let mark = AnnotationKind::Primary.span(range);
        snippet = snippet.annotation(match &finding.label {
            Some(label) => mark.label(quoted(label)),
            None => mark,
        });
        if let Some((other, words)) = related.filter(|(other, _)| other.file == span.file) {
            snippet = snippet.annotation(AnnotationKind::Context.span(clamp(sources, other)).label(quoted(words)));
        }
        group = group.element(snippet);
        if let Some((other, words)) =
            related.filter(|(other, _)| other.file != span.file && !sources.is_private(other.file))
        {
            let snippet = Snippet::source(sources.text(other.file)).path(quoted(sources.name(other.file))).fold(true);
            let mark = AnnotationKind::Context.span(clamp(sources, other)).label(quoted(words));
            group = group.element(snippet.annotation(mark));
        }
    }
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(quoted(help)));
    }
    group
}

/// Text that may quote a file, without control characters. In source lines the renderer replaces them itself.
fn quoted(text: &str) -> String {
    text.split('\n').map(normalize_untrusted_str).collect::<Vec<_>>().join("\n")
}

/// The first line of a span: underlining many lines is hard to read.
fn clamp(sources: &Sources, span: Span) -> std::ops::Range<usize> {
    let range = span.range();
    let text = sources.slice(span);
    let first = text.find('\n').unwrap_or(text.len());
    let end = range.start + text.get(..first).unwrap_or("").trim_end().len();
    range.start..end.max(range.start)
}
