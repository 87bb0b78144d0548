//! What the author wrote beside the fields: JSON has no comments, so people use keys.

use crate::credential;
use crate::input::Reader;
use crate::json::Kind;

/// Whether a key stands for a comment.
fn is_comment(key: &str) -> bool {
    key.starts_with('_') || key.starts_with("//") || key.starts_with('#') || key == "comment" || key == "comments"
}

/// The comments of a map, ticked off.
pub(crate) fn of(reader: &Reader) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, value) in reader.entries() {
        if !is_comment(key) {
            continue;
        }
        let items = match value.node.kind {
            Kind::List(_) => value.items(),
            _ => vec![value],
        };
        lines.extend(items.iter().flat_map(text));
    }
    lines
}

/// The lines of a text that the author wrote for people; one with a credential in it stays behind.
pub(crate) fn text(reader: &Reader) -> Vec<String> {
    let Some(text) = reader.text() else { return Vec::new() };
    if credential::holds(text) || credential::given(text) {
        reader.drop("it holds a credential, which is never copied", "");
        return Vec::new();
    }
    text.lines().map(str::to_owned).collect()
}
