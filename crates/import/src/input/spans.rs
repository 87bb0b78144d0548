//! Places of a text that was generated from another.

use std::ops::Range;

/// Places of a text with those of the text that it was generated from.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpanMap(Vec<(Range<usize>, Range<usize>)>);

impl SpanMap {
    /// Adds a part with the place that it comes from.
    pub(crate) fn add(&mut self, part: Range<usize>, from: Range<usize>) {
        self.0.push((part, from));
    }

    /// The place that a place comes from: that of the smallest part around its start.
    pub(crate) fn origin(&self, span: &Range<usize>) -> Range<usize> {
        let around = self.0.iter().filter(|(part, _)| part.start <= span.start && span.start < part.end);
        around.min_by_key(|(part, _)| part.len()).map(|(_, from)| from.clone()).unwrap_or_default()
    }
}
