//! Comments of the author beside fields: JSON has no comments, so people use keys for them.

use ami_bake_manifest::access::credential;

use crate::input::{Location, Reader, SourceComment};
use crate::yaml::{Map, Value};

/// Whether a key holds a comment.
fn is_comment(key: &str) -> bool {
    key.starts_with('_') || key.starts_with("//") || key.starts_with('#') || key == "comment" || key == "comments"
}

/// The comments in a map; they are marked as used.
pub(crate) fn of(reader: &Reader) -> Vec<String> {
    let comments = reader.entries().into_iter().filter(|(key, _)| is_comment(key));
    comments
        .flat_map(|(_, value)| if value.is_list() { value.items() } else { vec![value] })
        .flat_map(|text| self::text(&text))
        .collect()
}

/// The lines of a comment; one that contains a credential is not copied.
pub(crate) fn text(reader: &Reader) -> Vec<String> {
    let Some(text) = reader.text() else { return Vec::new() };
    if credential::holds(text) || credential::given(text) {
        reader.drop("it contains a credential, which is never copied", "");
        return Vec::new();
    }
    text.lines().map(str::to_owned).collect()
}

/// Writes the comments of fields above the entries that come from them; each is written once.
pub(crate) fn attach(map: &mut Map, comments: &mut Vec<SourceComment>) {
    for entry in &mut map.0 {
        if let Some(Location { file, span: Some(span), .. }) = &entry.origin {
            let belongs = |comment: &mut SourceComment| comment.file == *file && comment.span.contains(&span.start);
            entry.comment.extend(comments.extract_if(.., belongs).flat_map(|comment| comment.lines));
        }
        within(&mut entry.value, comments);
    }
}

fn within(value: &mut Value, comments: &mut Vec<SourceComment>) {
    match value {
        Value::Map(map) => attach(map, comments),
        Value::List(items) => items.iter_mut().for_each(|item| within(item, comments)),
        Value::Text(_) | Value::Raw(_) => {}
    }
}
