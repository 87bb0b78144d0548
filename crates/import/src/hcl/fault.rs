//! Why an expression has no value here.

use std::ops::Range;

use ami_bake_manifest::diagnostic::{Diagnostic, Span};

use crate::request::Refused;
use crate::template::Trouble;

/// Why an expression has no value here.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fault {
    /// It can't be carried over.
    Trouble(Trouble),
    /// Packer would refuse it too.
    Wrong(Box<Wrong>),
}

/// A mistake of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    /// The number of the file.
    pub(super) file: usize,
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) help: String,
}

pub(super) type Outcome<T> = Result<T, Fault>;

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl Fault {
    pub(super) fn trouble(why: impl Into<String>) -> Self {
        Self::Trouble(Trouble::new(why))
    }

    pub(super) fn wrong(
        file: usize,
        span: Option<Range<usize>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self::Wrong(Box::new(Wrong {
            file,
            span: span.unwrap_or_default(),
            message: message.into(),
            help: help.into(),
        }))
    }
}

impl Wrong {
    /// Adds it to what is refused; `files` are names and texts.
    pub(super) fn emit(&self, files: &[(String, String)], refused: &mut Refused) {
        let Some((name, text)) = files.get(self.file) else {
            refused.findings.push(Diagnostic::error("template", None, self.message.clone()).help(self.help.clone()));
            return;
        };
        let file = refused.sources.find(name).unwrap_or_else(|| refused.sources.add(name, text.as_str()));
        let offset = |at: usize| u32::try_from(at.min(text.len())).unwrap_or(u32::MAX);
        let span = Span { file, start: offset(self.span.start), end: offset(self.span.end) };
        let finding = Diagnostic::error("template", span, self.message.clone());
        let finding = if self.help.is_empty() { finding } else { finding.help(self.help.clone()) };
        refused.findings.push(finding);
    }
}
