//! Errors of evaluating an expression during the import.

use std::ops::Range;

use ami_bake_manifest::budget::Exceeded;
use ami_bake_manifest::diagnostic::{Diagnostic, Span};

use crate::input::{Refused, Source};
use crate::template::Unsupported;

/// Why an expression has no value during the import.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum EvalError {
    /// Valid in Packer, but not supported by the import.
    Unsupported(Unsupported),
    /// Invalid in Packer, too.
    Invalid(Box<TemplateError>),
    /// Refused, whatever Packer does: the expression reads a forbidden file, or takes too long. `try` does not hide it.
    Refused(Box<TemplateError>),
    /// The budget is used up; the location is added later.
    Exceeded(Exceeded),
}

/// An error in the template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TemplateError {
    /// Index of the file.
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

impl From<Exceeded> for EvalError {
    fn from(exceeded: Exceeded) -> Self {
        Self::Exceeded(exceeded)
    }
}

impl EvalError {
    /// The error with this location, if it has none yet.
    pub(super) fn at(self, file: usize, span: Option<Range<usize>>) -> Self {
        match (self, span) {
            (Self::Exceeded(exceeded), Some(span)) => Self::Refused(Box::new(TemplateError {
                file,
                span,
                message: exceeded.to_string(),
                help: "Make the values of the template smaller.".to_owned(),
            })),
            (error, _) => error,
        }
    }

    /// An error that is refused, whatever Packer does.
    pub(super) fn refused(
        file: usize,
        span: Option<Range<usize>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        match Self::invalid(file, span, message, help) {
            Self::Invalid(error) => Self::Refused(error),
            error => error,
        }
    }

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
            Self::Invalid(error) | Self::Refused(error) => error.message,
            Self::Exceeded(exceeded) => exceeded.to_string(),
        }
    }
}

impl TemplateError {
    /// Adds the error to `refused`; `first` is the index of the first variable file, whose content is never shown.
    pub(super) fn refuse(&self, files: &[&Source], first: usize, refused: &mut Refused) {
        let span = files.get(self.file).map(|source| {
            let (name, text) = (source.path.display().to_string(), source.text.as_str());
            let file = match refused.sources.find(&name) {
                Some(known) => known,
                None if self.file < first => refused.sources.add(name, text),
                None => refused.sources.add_private(name, text),
            };
            let offset = |at: usize| u32::try_from(at.min(text.len())).unwrap_or(u32::MAX);
            Span { file, start: offset(self.span.start), end: offset(self.span.end) }
        });
        let finding = Diagnostic::error("template", span, self.message.clone());
        refused.findings.push(if self.help.is_empty() { finding } else { finding.help(self.help.clone()) });
    }
}
