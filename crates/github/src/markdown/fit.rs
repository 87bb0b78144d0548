//! Shortens a document to a length limit.

use super::block::Block;

/// Maximum length of a text, in GitHub's units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Bytes of UTF-8: a step's summary has 1 MiB.
    Bytes(usize),
    /// UTF-16 units: never fewer than characters, so safe for comments and release notes however GitHub counts.
    Units(usize),
}

impl Limit {
    fn of(self, text: &str) -> usize {
        match self {
            Self::Bytes(_) => text.len(),
            Self::Units(_) => text.encode_utf16().count(),
        }
    }

    fn value(self) -> usize {
        match self {
            Self::Bytes(value) | Self::Units(value) => value,
        }
    }

    /// The limit that is left after `text`.
    #[must_use]
    pub fn less(self, text: &str) -> Self {
        let rest = self.value().saturating_sub(self.of(text));
        match self {
            Self::Bytes(_) => Self::Bytes(rest),
            Self::Units(_) => Self::Units(rest),
        }
    }
}

/// Room for the sentence about what was left out.
const ROOM: usize = 600;

/// Joins the blocks that fit, in order. A block that does not fit is shortened or left out; smaller ones after it may
/// still fit. `notice` makes the sentence about what was left out.
pub fn fit(blocks: &[Block], limit: Limit, notice: impl Fn(&[&str]) -> String) -> String {
    let whole: String = blocks.iter().map(Block::text).collect();
    if limit.of(&whole) <= limit.value() {
        return whole;
    }
    let budget = limit.value().saturating_sub(ROOM);
    let (mut out, mut used) = (String::new(), 0);
    let mut missing: Vec<&str> = Vec::new();
    for block in blocks {
        let text = block.text();
        let (text, cut) = if used + limit.of(&text) <= budget {
            (text, false)
        } else {
            (cut(block, limit, budget.saturating_sub(used)), true)
        };
        if cut && !missing.contains(&block.about.as_str()) {
            missing.push(&block.about);
        }
        used += limit.of(&text);
        out.push_str(&text);
    }
    let sentence = notice(&missing);
    let end = if limit.of(&sentence) <= ROOM.min(limit.value()) { sentence } else { notice(&[]) };
    if used + limit.of(&end) <= limit.value() { out + &end } else { out }
}

/// The block with as many lines as fit in `room`; empty when none does.
fn cut(block: &Block, limit: Limit, room: usize) -> String {
    let Some(more) = &block.more else { return String::new() };
    let notice = |left_out: usize| more.replace("{}", &left_out.to_string());
    let frame = limit.of(&block.open) + limit.of(&block.close) + limit.of(&notice(block.lines.len()));
    let Some(room) = room.checked_sub(frame) else { return String::new() };
    let mut used = 0;
    let mut fits = |line: &&String| {
        used += limit.of(line);
        used <= room
    };
    let count = if block.keep_end {
        block.lines.iter().rev().take_while(&mut fits).count()
    } else {
        block.lines.iter().take_while(&mut fits).count()
    };
    if count == 0 {
        return String::new();
    }
    let more = notice(block.lines.len() - count);
    let (before, lines, after) = if block.keep_end {
        (more.as_str(), &block.lines[block.lines.len() - count..], "")
    } else {
        ("", &block.lines[..count], more.as_str())
    };
    format!("{}{before}{}{after}{}", block.open, lines.concat(), block.close)
}

#[cfg(test)]
mod tests {
    use super::super::block::{details, table};
    use super::*;

    fn notice(missing: &[&str]) -> String {
        format!("Left out: {}.\n", missing.join(", "))
    }

    #[test]
    fn what_fits_is_not_touched() {
        let blocks = [Block::whole("a", "12"), Block::whole("b", "3")];
        assert_eq!(fit(&blocks, Limit::Bytes(3), notice), "123");
    }

    #[test]
    fn a_cut_is_between_lines_and_closes_what_it_opened() {
        let rows: Vec<Vec<String>> = (0..5000).map(|row| vec![format!("package {row}"), "ä😀".to_owned()]).collect();
        let log: Vec<String> = (0..5000).map(|line| format!("line {line}")).collect();
        let blocks = [
            details("the log of web", "web", &log),
            table("the packages of web", &["name", "version"], &rows),
            Block::whole("the timeline", "timeline\n".repeat(8000)),
            Block::whole("the end", "the end\n"),
        ];
        for limit in [Limit::Units(20_000), Limit::Bytes(60_000), Limit::Bytes(100_000)] {
            let text = fit(&blocks, limit, notice);
            assert!(limit.of(&text) <= limit.value(), "{limit:?}");
            assert_eq!(text.matches("```").count() % 2, 0);
            assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
            assert!(text.contains("line 4999\n") && !text.contains("timeline\n"), "the end of a log is kept");
            assert!(text.contains("the packages of web") || text.contains("package 4999"), "{limit:?}");
            assert!(text.contains("Left out: ") && text.contains("the timeline"));
        }
    }

    #[test]
    fn no_limit_is_too_small() {
        let blocks = [Block::whole("a", "x".repeat(100))];
        for size in [0, 1, 10, 99] {
            assert!(fit(&blocks, Limit::Units(size), notice).len() <= size);
        }
    }
}
