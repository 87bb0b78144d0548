//! Maps locations in a generated text to those in its original.

use std::ops::Range;

/// Byte ranges of a generated text, with those of the original.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpanMap(Vec<(Range<usize>, Range<usize>)>);

impl SpanMap {
    /// Adds a range with the original one.
    pub(crate) fn add(&mut self, part: Range<usize>, from: Range<usize>) {
        self.0.push((part, from));
    }

    /// The original range for a range: that of the smallest part around its start.
    pub(crate) fn origin(&self, span: &Range<usize>) -> Range<usize> {
        let around = self.0.iter().filter(|(part, _)| part.start <= span.start && span.start < part.end);
        around.min_by_key(|(part, _)| part.len()).map(|(_, from)| from.clone()).unwrap_or_default()
    }
}
