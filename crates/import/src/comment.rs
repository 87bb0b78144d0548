//! What the author wrote beside the fields: JSON has no comments, so people use keys.

use crate::input::Reader;
use ami_bake_manifest::access::credential;

/// Whether a key holds a comment.
fn is_comment(key: &str) -> bool {
    key.starts_with('_') || key.starts_with("//") || key.starts_with('#') || key == "comment" || key == "comments"
}

/// The comments of a map, marked as used.
pub(crate) fn of(reader: &Reader) -> Vec<String> {
    let comments = reader.entries().into_iter().filter(|(key, _)| is_comment(key));
    comments
        .flat_map(|(_, value)| if value.is_list() { value.items() } else { vec![value] })
        .flat_map(|text| self::text(&text))
        .collect()
}

/// The lines of a text that the author wrote for people; one that contains a credential is not copied.
pub(crate) fn text(reader: &Reader) -> Vec<String> {
    let Some(text) = reader.text() else { return Vec::new() };
    if credential::holds(text) || credential::given(text) {
        reader.drop("it contains a credential, which is never copied", "");
        return Vec::new();
    }
    text.lines().map(str::to_owned).collect()
}
