//! Context for rendering a report.

use ami_bake_core::mask::Masker;
use ami_bake_core::report::Report;

use crate::markdown::Escape;

/// The context of a report.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The secrets of the run.
    pub masker: &'a Masker,
    /// The report of the previous version, to show what changed.
    pub previous: Option<&'a Report>,
    /// Where that report is from, in words: `release v1.3.0`.
    pub previous_from: Option<&'a str>,
    /// Why there is none where a comparison is expected, in words.
    pub no_previous: Option<&'a str>,
    /// The URL of the workflow run.
    pub run_url: Option<&'a str>,
    /// The URL of the job.
    pub job_url: Option<&'a str>,
    /// What was written into the repository after the images were published.
    pub written: &'a [WrittenId],
    /// True when the report was made by unreviewed code: a pull request from a fork.
    pub untrusted: bool,
}

/// A change of the repository: a file or a variable with the ID of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenId {
    /// The change in words: `Created pull request 7: web 1.4.0 (ami-…) in infra/prod.tfvars`.
    pub text: String,
    /// URL of the commit or the pull request.
    pub url: Option<String>,
}

impl<'a> Context<'a> {
    /// A context without links, which masks these secrets.
    pub fn new(masker: &'a Masker) -> Self {
        Self {
            masker,
            previous: None,
            previous_from: None,
            no_previous: None,
            run_url: None,
            job_url: None,
            written: &[],
            untrusted: false,
        }
    }

    pub(crate) fn escape(&self) -> Escape<'a> {
        Escape::new(self.masker)
    }

    /// The URL of the run, if it is safe in a Markdown link.
    pub(crate) fn run_link(&self) -> Option<&'a str> {
        safe_link(self.run_url?)
    }

    /// The URL of the job, if it is safe in a Markdown link.
    pub(crate) fn job_link(&self) -> Option<&'a str> {
        safe_link(self.job_url?)
    }
}

pub(crate) fn safe_link(url: &str) -> Option<&str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#@%=&+".contains(c);
    (url.starts_with("https://") || url.starts_with("http://")).then_some(url).filter(|url| url.chars().all(plain))
}
