//! Makes text safe to show.

use std::sync::Arc;

use ami_bake_core::mask::Masker;
use ami_bake_core::output::sanitize;

use super::marks::parts;

/// Changes a line so that the reader of a stream finds no command in it.
pub(crate) type LineRule = fn(&str) -> String;

/// Takes out of text what steers a terminal, what is secret, and what the reader of the stream would obey.
#[derive(Clone)]
pub(crate) struct Cleaner {
    /// The secrets of this process.
    pub(crate) masker: Arc<Masker>,
    /// What else a line must not be; none outside of a workflow.
    pub(crate) rule: Option<LineRule>,
}

impl Cleaner {
    /// The text without anything that acts. Colours of this program stay, where they are wanted.
    pub(super) fn clean(&self, text: &str, colours: bool) -> String {
        let mut clean = String::with_capacity(text.len());
        for (colour, part) in parts(text) {
            if let (Some(parameters), true) = (colour, colours) {
                clean.push_str(&format!("\u{1b}[{parameters}m"));
            }
            // A secret may span lines.
            let lines: Vec<String> = part.split('\n').map(sanitize).collect();
            clean.push_str(&self.masker.mask(&lines.join("\n")));
        }
        clean
    }

    /// The same, and no line of it is a command. Says how many would have been one.
    pub(super) fn obeyed_by_nobody(&self, clean: String) -> (String, usize) {
        let Some(rule) = self.rule else { return (clean, 0) };
        let mut changed = 0;
        let mut safe = String::with_capacity(clean.len() + 1);
        for line in clean.split_inclusive('\n') {
            let ruled = rule(line);
            changed += usize::from(ruled != line);
            safe.push_str(&ruled);
        }
        // What is written next must not continue this line.
        if !safe.is_empty() && !safe.ends_with('\n') {
            safe.push('\n');
        }
        (safe, changed)
    }
}
