//! Why an expression has no value during the import.

use std::ops::Range;

use ami_bake_manifest::diagnostic::{Diagnostic, Span};

use crate::input::{Refused, Source};
use crate::template::Unsupported;

/// Why an expression has no value during the import.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum EvalError {
    /// It can't be imported.
    Unsupported(Unsupported),
    /// Packer would refuse it too.
    Invalid(Box<TemplateError>),
}

/// An error in the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TemplateError {
    /// The index of the file.
    pub(super) file: usize,
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) help: String,
}

pub(super) type EvalResult<T> = Result<T, EvalError>;

impl From<Unsupported> for EvalError {
    fn from(unsupported: Unsupported) -> Self {
        Self::Unsupported(unsupported)
    }
}

impl EvalError {
    pub(super) fn unsupported(why: impl Into<String>) -> Self {
        Self::Unsupported(Unsupported::new(why))
    }

    pub(super) fn invalid(
        file: usize,
        span: Option<Range<usize>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self::Invalid(Box::new(TemplateError {
            file,
            span: span.unwrap_or_default(),
            message: message.into(),
            help: help.into(),
        }))
    }

    /// The message, without the location.
    pub(super) fn into_message(self) -> String {
        match self {
            Self::Unsupported(unsupported) => unsupported.why,
            Self::Invalid(error) => error.message,
        }
    }
}

impl TemplateError {
    /// Adds it to what is refused.
    pub(super) fn refuse(&self, files: &[&Source], refused: &mut Refused) {
        let span = files.get(self.file).map(|source| {
            let (name, text) = (source.path.display().to_string(), source.text.as_str());
            let file = refused.sources.find(&name).unwrap_or_else(|| refused.sources.add(name, text));
            let offset = |at: usize| u32::try_from(at.min(text.len())).unwrap_or(u32::MAX);
            Span { file, start: offset(self.span.start), end: offset(self.span.end) }
        });
        let finding = Diagnostic::error("template", span, self.message.clone());
        refused.findings.push(if self.help.is_empty() { finding } else { finding.help(self.help.clone()) });
    }
}
