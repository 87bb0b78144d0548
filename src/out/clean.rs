//! Makes text safe to show.

use std::sync::Arc;

use ami_bake_core::mask::Masker;
use ami_bake_core::output::sanitize;

use super::marks::parts;

/// Changes a line so that the reader of a stream finds no command in it.
pub(crate) type LineRule = fn(&str) -> String;

/// Removes terminal control sequences and secrets from text, and defuses commands for the reader of the stream.
#[derive(Clone)]
pub(crate) struct Cleaner {
    /// The secrets of this process.
    pub(crate) masker: Arc<Masker>,
    /// Rule for lines of output; `None` outside of a workflow.
    pub(crate) rule: Option<LineRule>,
}

impl Cleaner {
    /// The cleaned text. Colors of this program are kept if they are enabled.
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

    /// Cleans a text so that no line of it is a command. Returns the number of lines that would have been one.
    pub(super) fn obeyed_by_nobody(&self, clean: String) -> (String, usize) {
        let Some(rule) = self.rule else { return (clean, 0) };
        let mut changed = 0;
        let mut safe = String::with_capacity(clean.len() + 1);
        for line in clean.split_inclusive('\n') {
            let ruled = rule(line);
            changed += usize::from(ruled != line);
            safe.push_str(&ruled);
        }
        // The next output must not continue this line.
        if !safe.is_empty() && !safe.ends_with('\n') {
            safe.push('\n');
        }
        (safe, changed)
    }
}
