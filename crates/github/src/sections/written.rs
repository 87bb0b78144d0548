//! What was written into the repository.

use crate::context::Context;
use crate::markdown::{Block, heading};

pub(super) fn written(context: &Context<'_>) -> Vec<Block> {
    if context.written.is_empty() {
        return Vec::new();
    }
    let escape = context.escape();
    let line = |written: &crate::WrittenId| {
        let text = escape.text(&written.text);
        match written.url.as_deref().and_then(crate::context::safe_link) {
            Some(url) => format!("- {text} ([open]({url}))\n"),
            None => format!("- {text}\n"),
        }
    };
    let list = Block {
        about: "changes of the repository".to_owned(),
        open: String::new(),
        lines: context.written.iter().map(line).collect(),
        close: "\n".to_owned(),
        keep_end: false,
        more: Some("- … and {} more\n".to_owned()),
    };
    vec![heading("changes of the repository", "Written to the repository"), list]
}
