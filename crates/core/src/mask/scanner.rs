//! Finds secrets in a text that arrives in pieces, and passes on what is safe to show.

use std::ops::Range;
use std::sync::Arc;

use aho_corasick::Anchored;
use aho_corasick::automaton::{Automaton, StateID};

use super::forms::Rule;
use super::masker::MASK;
use super::matcher::{Engine, Matcher};
use super::unescape::{is_escape, is_kept, unit};

/// Minimum length of a form that is matched across white space which the secret does not have: "pass word" is not the
/// secret `password`.
const SPREAD: usize = 12;
/// Minimum number of characters of a form at the end of a line for which the line is held back. With fewer it is shown.
const LINE_END: usize = 8;
/// Maximum run of white space within one secret.
const GAP: usize = 1 << 10;
/// Maximum bytes of text that are held back, in addition to the longest form in its longest escape.
const HELD: usize = 64 << 10;
const ESCAPED: usize = 6;

/// The text that has not been passed on yet, and the matches in it. Positions count from the beginning of the whole
/// text.
pub(super) struct Scanner {
    pub(super) matcher: Arc<Matcher>,
    pending: String,
    /// Position of the first pending byte.
    base: usize,
    /// State of the automaton after the raw text, which was read to its end.
    raw: StateID,
    /// State of the automaton after the text without escapes, which was read up to `plain_to`.
    plain: StateID,
    plain_to: usize,
    /// Positions in the raw text of the last bytes of the text without escapes.
    origins: Vec<usize>,
    /// Length of the white space before `plain_to`.
    gap: usize,
    /// Beginning of the line before which nothing is held back.
    line: usize,
    hits: Vec<Hit>,
}

#[derive(Debug, Clone)]
struct Hit {
    at: Range<usize>,
    rule: Rule,
}

impl Scanner {
    /// A scanner for the forms in `matcher`.
    pub(super) fn new(matcher: Arc<Matcher>) -> Self {
        let start = matcher.start;
        Self {
            matcher,
            pending: String::new(),
            base: 0,
            raw: start,
            plain: start,
            plain_to: 0,
            origins: Vec::new(),
            gap: 0,
            line: 0,
            hits: Vec::new(),
        }
    }

    /// The text that was not passed on.
    pub(super) fn into_pending(self) -> String {
        self.pending
    }

    /// Reads more text, and appends to `out` everything that can't be part of a secret any more, with secrets masked.
    pub(super) fn feed(&mut self, text: &str, out: &mut String) {
        self.read(text, false);
        let safe = self.safe();
        self.emit(safe, out);
    }

    /// Reads the last piece of the text, and appends the rest to `out`.
    pub(super) fn finish(&mut self, text: &str, out: &mut String) {
        self.read(text, true);
        self.emit(self.end(), out);
        *self = Self::new(Arc::clone(&self.matcher));
    }

    fn end(&self) -> usize {
        self.base + self.pending.len()
    }

    fn read(&mut self, text: &str, last: bool) {
        let from = self.end();
        self.pending.push_str(text);
        let matcher = Arc::clone(&self.matcher);
        match &matcher.automaton {
            Engine::Table(automaton) => self.search(automaton, &matcher, from, last),
            Engine::Compact(automaton) => self.search(automaton, &matcher, from, last),
        }
    }

    fn search<A: Automaton>(&mut self, automaton: &A, matcher: &Matcher, from: usize, last: bool) {
        let (base, bytes) = (self.base, self.pending.as_bytes());
        let hits = &mut self.hits;
        let mut state = self.raw;
        for (index, byte) in bytes.iter().enumerate().skip(from - base) {
            state = automaton.next_state(Anchored::No, state, *byte);
            if automaton.is_special(state) && automaton.is_match(state) {
                let end = base + index + 1;
                matcher.found(automaton, state, |length, rule| {
                    // A part of it may have been passed on already, as the end of a line.
                    hits.push(Hit { at: end.saturating_sub(length).max(base)..end, rule });
                });
            }
        }
        self.raw = state;

        let mut state = self.plain;
        let mut at = self.plain_to - base;
        while let Some(byte) = bytes.get(at).copied() {
            if self.origins.len() > 2 * matcher.longest + HELD {
                let over = self.origins.len() - matcher.longest;
                self.origins.drain(..over);
            }
            if is_kept(byte) && !is_escape(byte) {
                self.gap = 0;
                self.origins.push(base + at);
                at += 1;
                state = automaton.next_state(Anchored::No, state, byte);
                if automaton.is_special(state) && automaton.is_match(state) {
                    found_plain(automaton, matcher, state, &self.origins, (base, at), bytes, hits);
                }
                continue;
            }
            let Some(unit) = unit(&bytes[at..], last) else { break };
            self.gap = if unit.bytes().is_empty() { self.gap + unit.width } else { 0 };
            for byte in unit.bytes() {
                self.origins.push(base + at);
                state = automaton.next_state(Anchored::No, state, *byte);
                if automaton.is_special(state) && automaton.is_match(state) {
                    found_plain(automaton, matcher, state, &self.origins, (base, at + unit.width), bytes, hits);
                }
            }
            at += unit.width;
            if self.gap > GAP {
                state = matcher.start;
            }
            if matches!(byte, b'\n' | b'\r') && matcher.depth(state) < LINE_END {
                self.line = base + at;
            }
        }
        (self.plain, self.plain_to) = (state, base + at);
    }

    /// The position up to which text can be passed on: before any possible beginning of a secret and the character
    /// before that, which decides whether a short secret is a whole word.
    fn safe(&mut self) -> usize {
        let end = self.end();
        let mut safe = self.plain_to.min(end - self.matcher.depth(self.raw).min(self.pending.len()));
        let depth = self.matcher.depth(self.plain).min(self.origins.len());
        if depth > 0 {
            safe = safe.min(self.origins[self.origins.len() - depth].max(self.line));
        }
        self.hits.sort_by_key(|hit| hit.at.start);
        safe = self.outside(safe.max(self.base));
        let before = &self.pending[..self.pending.floor_char_boundary(safe - self.base)];
        if let Some((start, character)) = before.char_indices().next_back()
            && !matches!(character, '\n' | '\r')
        {
            safe = self.outside(self.base + start);
        }
        if end - safe > ESCAPED * self.matcher.longest + HELD { end } else { safe }
    }

    /// The position, or the beginning of the matches that it lies within.
    fn outside(&self, position: usize) -> usize {
        self.hits.iter().rev().fold(position, |position, hit| {
            let around = usize::from(hit.rule.word || hit.rule.ragged);
            let start = hit.at.start.saturating_sub(around).max(self.base);
            if start < position && position < hit.at.end + around { start } else { position }
        })
    }

    fn emit(&mut self, to: usize, out: &mut String) {
        let mut masked: Vec<Range<usize>> = self
            .hits
            .iter()
            .filter(|hit| hit.at.start < to)
            .filter_map(|hit| self.masked(hit))
            .map(|at| at.start..at.end.min(to - self.base))
            .collect();
        masked.sort_by_key(|at| at.start);
        let mut done = 0;
        let mut hits = masked.into_iter().peekable();
        while let Some(mut hit) = hits.next() {
            while let Some(next) = hits.next_if(|next| next.start < hit.end) {
                hit.end = hit.end.max(next.end);
            }
            out.push_str(&self.pending[done..hit.start]);
            mask_lines(&self.pending[hit.clone()], out);
            done = hit.end;
        }
        let handed_on = to - self.base;
        out.push_str(&self.pending[done.min(handed_on)..handed_on]);
        self.pending.drain(..handed_on);
        self.base = to;
        self.plain_to = self.plain_to.max(to);
        self.hits.retain_mut(|hit| {
            hit.at.start = hit.at.start.max(to);
            hit.at.start < hit.at.end
        });
    }

    /// The pending bytes to mask for a match; `None` for a short word that is part of a longer word.
    fn masked(&self, hit: &Hit) -> Option<Range<usize>> {
        let text = &self.pending;
        let mut start = text.floor_char_boundary(hit.at.start - self.base);
        let mut end = text.ceil_char_boundary(hit.at.end - self.base);
        let (before, after) = (text[..start].chars().next_back(), text[end..].chars().next());
        let is_word = |next: Option<char>| next.is_some_and(|next| next.is_alphanumeric() || next == '_');
        if hit.rule.word && (is_word(before) || is_word(after)) {
            return None;
        }
        if hit.rule.ragged {
            let shared = |next: &Option<char>| {
                next.is_some_and(|next| next.is_ascii_alphanumeric() || matches!(next, '+' | '/' | '-' | '_'))
            };
            start -= usize::from(shared(&before));
            end += usize::from(shared(&after));
        }
        Some(start..end)
    }
}

/// Records the forms that end at `at` of the pending text, after escapes were undone.
fn found_plain<A: Automaton>(
    automaton: &A,
    matcher: &Matcher,
    state: StateID,
    origins: &[usize],
    (base, at): (usize, usize),
    bytes: &[u8],
    hits: &mut Vec<Hit>,
) {
    matcher.found(automaton, state, |length, rule| {
        let Some(start) = origins.len().checked_sub(length).map(|index| origins[index]) else { return };
        let handed_on = start < base;
        let start = start.max(base);
        let spread = handed_on || bytes[start - base..at].iter().any(u8::is_ascii_whitespace);
        // In the raw text a short word was found already.
        if !rule.word && (length >= SPREAD || rule.spread || !spread) {
            hits.push(Hit { at: start..base + at, rule });
        }
    });
}

/// Masks a match; if it spans several lines, in each of them.
pub(super) fn mask_lines(text: &str, out: &mut String) {
    for line in text.split_inclusive(['\n', '\r']) {
        let words = line.trim();
        if words.is_empty() {
            out.push_str(line);
        } else {
            let start = line.len() - line.trim_start().len();
            out.push_str(&line[..start]);
            out.push_str(MASK);
            out.push_str(&line[start + words.len()..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::masker::Masker;
    use super::*;

    /// Whatever the text is and however it is cut, memory does not grow.
    #[test]
    fn a_text_of_any_length_takes_bounded_memory() {
        let masker = Masker::default();
        masker.add("walnut-tree-4711");
        let matcher = masker.matcher().unwrap().unwrap();
        let pieces =
            ["x", " ", "\n", "%41", "\\u0041", "&amp;", "walnut-tree-", "walnut-tree-4711", "dHJlZS00NzEx", "é"];
        for piece in pieces {
            let text = piece.repeat((16 << 10) / piece.len());
            let (mut scanner, mut out) = (Scanner::new(Arc::clone(&matcher)), String::new());
            for _ in 0..64 {
                scanner.feed(&text, &mut out);
                out.clear();
            }
            let kept = scanner.pending.capacity() + scanner.hits.len() * size_of::<Hit>();
            assert!(kept <= 8 * HELD, "{piece:?}: {kept} bytes");
            assert!(scanner.origins.capacity() <= 4 * HELD, "{piece:?}: {} origins", scanner.origins.capacity());
        }
    }
}
