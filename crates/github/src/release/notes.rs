//! The block of release notes that ami-bake maintains. Text around it is not touched.

use ami_bake_core::report::Report;

use crate::context::Context;
use crate::markdown::{Block, Limit, fit, heading};
use crate::sections;

/// GitHub refuses longer notes (observed: "body is too long (maximum is 125000 characters)").
pub(super) const LIMIT: Limit = Limit::Units(125_000);

/// The block's content: images, regions, and the packages that changed since the previous version.
pub fn render(report: &Report, context: &Context<'_>) -> Vec<Block> {
    let packages = sections::since_last(report, context);
    let region = report.region.as_deref().map(|region| format!(" in {}", context.escape().text(region)));
    let mut blocks = vec![heading("images", &format!("Images{}", region.unwrap_or_default()))];
    blocks.extend(sections::images(report, context));
    blocks.extend(sections::regions(report, context));
    if !packages.is_empty() {
        blocks.push(heading("packages", "Packages"));
        blocks.extend(packages);
    }
    blocks
}

fn markers(key: &str) -> (String, String) {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._/".contains(c) { c } else { '_' };
    let key: String = key.chars().map(plain).collect();
    (format!("<!-- ami-bake:begin {key} -->"), format!("<!-- ami-bake:end {key} -->"))
}

/// The notes with the block of `key` updated or added at the end. Other text is not touched, and the whole stays within
/// GitHub's limit.
pub fn merged(notes: &str, key: &str, blocks: &[Block]) -> String {
    let (begin, end) = markers(key);
    let (before, after) = match notes.split_once(&begin) {
        // A block whose end marker was edited away ends where it begins, so that no text after it is lost.
        Some((before, rest)) => (before.to_owned(), rest.split_once(&end).map_or(rest, |(_, after)| after).to_owned()),
        None if notes.trim().is_empty() => (String::new(), String::new()),
        None => (format!("{}\n\n", notes.trim_end()), String::new()),
    };
    let frame = format!("{before}{begin}\n\n{end}{after}");
    let text = fit(blocks, LIMIT.less(&frame), |missing| {
        format!("\n> [!NOTE]\n> Too long for release notes. Left out: {}.\n", missing.join(", "))
    });
    format!("{before}{begin}\n{}\n{end}{after}", text.trim_end())
}

/// True when the notes contain this block unchanged.
pub(super) fn holds(notes: &str, made: &str, key: &str) -> bool {
    let block = |text: &str| -> Option<String> {
        let (begin, end) = markers(key);
        let (_, rest) = text.split_once(&begin)?;
        Some(rest.split_once(&end)?.0.replace("\r\n", "\n"))
    };
    block(notes).is_some() && block(notes) == block(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Vec<Block> {
        vec![Block::whole("images", format!("{text}\n"))]
    }

    #[test]
    fn peoples_text_stays_around_the_block() {
        let first = merged("What is new: much.\r\n", "shop", &block("one"));
        assert_eq!(first, "What is new: much.\n\n<!-- ami-bake:begin shop -->\none\n<!-- ami-bake:end shop -->");
        let edited = format!("{first}\n\nThanks to all.");
        let second = merged(&edited, "shop", &block("two"));
        assert_eq!(second, edited.replace("\none\n", "\ntwo\n"));
        let other = merged(&second, "pay", &block("three"));
        assert!(other.starts_with(&second) && other.contains("begin pay"), "{other}");
        assert_eq!(merged(&other, "pay", &block("three")), other, "asked again it changes nothing");
    }

    #[test]
    fn a_lost_end_takes_no_text_with_it() {
        let notes = "Before.\n<!-- ami-bake:begin shop -->\nA person's line.\n";
        let text = merged(notes, "shop", &block("one"));
        assert!(text.starts_with("Before.\n<!-- ami-bake:begin shop -->\none\n<!-- ami-bake:end shop -->"));
        assert!(text.ends_with("A person's line.\n"), "{text}");
    }

    #[test]
    fn long_notes_leave_less_room() {
        let notes = "x".repeat(120_000);
        let text = merged(&notes, "shop", &[Block::whole("images", "y".repeat(10_000)), Block::whole("end", "z")]);
        assert!(text.encode_utf16().count() <= 125_000 && text.starts_with(&notes) && !text.contains('y'));
        assert!(text.contains("Left out: images"), "{}", &text[120_000..]);
        assert!(holds(&text.replace('\n', "\r\n"), &text, "shop"));
    }
}
