//! Findings as workflow commands, which GitHub shows as annotations on the manifest's lines.

use std::fmt::Write as _;

use super::{Diagnostic, Severity, Sources};

/// One workflow command for each finding, a line each (GitHub: workflow commands, "setting an error message").
pub fn github_annotations(findings: &[Diagnostic], sources: &Sources) -> String {
    let mut out = String::new();
    for finding in findings {
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let _ = write!(out, "::{command} ");
        if let Some(span) = finding.span {
            let start = sources.position(span.file, span.start);
            let end = sources.position(span.file, span.end);
            let _ = write!(out, "file={},line={},", property(sources.name(span.file)), start.line);
            // Columns count only when both ends are on one line.
            if end.line == start.line {
                let _ = write!(out, "col={},endColumn={},", start.column, end.column);
            } else {
                let _ = write!(out, "endLine={},", end.line);
            }
        }
        let _ = write!(out, "title={}::", property(finding.code));
        out.push_str(&data(&finding.message));
        if let Some(help) = &finding.help {
            let _ = write!(out, "%0A{}", data(help));
        }
        out.push('\n');
    }
    out
}

/// Escapes the message of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::Span;
    use super::*;

    #[test]
    fn nothing_in_a_message_can_end_the_command() {
        let mut sources = Sources::default();
        let file = sources.add("a,b:c.yml", "format: 1\nimages: x\n");
        let span = Span { file, start: 10, end: 16 };
        let finding = Diagnostic::error("wrong-type", span, "100 % wrong\n::error::x").help("Write it\nanew.");
        assert_eq!(
            github_annotations(&[finding], &sources),
            "::error file=a%2Cb%3Ac.yml,line=2,col=1,endColumn=7,title=wrong-type::100 %25 wrong%0A::error::x%0AWrite it%0Aanew.\n"
        );
    }
}
