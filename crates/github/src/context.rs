//! What a rendered report needs to know beside the report.

use ami_bake_core::mask::Masker;
use ami_bake_core::report::Report;

use crate::markdown::Escape;

/// Around a report.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The secrets of the run.
    pub masker: &'a Masker,
    /// The report of the version before, for the packages that changed since.
    pub previous: Option<&'a Report>,
    /// The address of the workflow run, for what does not fit and for logs.
    pub run_url: Option<&'a str>,
    /// True when the report was made by code that nobody of the project has read yet: a fork's pull request.
    pub untrusted: bool,
}

impl<'a> Context<'a> {
    /// A report alone, with these secrets out of it.
    pub fn new(masker: &'a Masker) -> Self {
        Self { masker, previous: None, run_url: None, untrusted: false }
    }

    pub(crate) fn escape(&self) -> Escape<'a> {
        Escape::new(self.masker)
    }

    /// The address of the run as it may stand in a link's parentheses; none when it is no plain address.
    pub(crate) fn run_link(&self) -> Option<&'a str> {
        let url = self.run_url?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#@%=&+".contains(c);
        (url.starts_with("https://") || url.starts_with("http://")).then_some(url).filter(|url| url.chars().all(plain))
    }
}
