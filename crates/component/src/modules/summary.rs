//! Counts the outcomes of a document's steps.

use std::fmt;

/// Number of steps by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) passed: usize,
    pub(crate) skipped: usize,
    pub(crate) ignored: usize,
    pub(crate) failed: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} passed", self.passed, if self.passed == 1 { "step" } else { "steps" })?;
        for (count, word) in [(self.skipped, "skipped"), (self.ignored, "failed and ignored"), (self.failed, "failed")]
        {
            if count > 0 {
                write!(f, ", {count} {word}")?;
            }
        }
        Ok(())
    }
}
