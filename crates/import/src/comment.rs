//! Comments of the author beside fields: JSON has no comments, so people use keys for them.

use std::ops::Range;

use ami_bake_manifest::access::credential;
use ami_bake_manifest::tree::{Kind, Node};

use crate::input::{Location, Reader, SourceComment};
use crate::yaml::{Entry, Map, Value};

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

/// Whether a line that the author wrote for people is shown: one that holds a credential or assigns one is not.
pub(crate) fn may_be_copied(line: &str) -> bool {
    let assigns =
        line.split_once('=').is_some_and(|(name, value)| credential::named(name.trim()) && !value.trim().is_empty());
    !line.is_empty() && !credential::holds(line) && !credential::given(line) && !assigns
}

/// The comments of a YAML document, each with the bytes of the value that it belongs to: the one on its line, else the next.
pub(crate) fn of_yaml(text: &str, root: &Node) -> Vec<(Range<u32>, Vec<String>)> {
    let (mut values, mut scalars) = (Vec::new(), Vec::new());
    places(root, &mut values, &mut scalars);
    values.sort_by_key(|(start, _)| *start);
    scalars.sort_by_key(|scalar| scalar.start);
    let inside = |at: usize| {
        let next = scalars.partition_point(|scalar| scalar.start <= at);
        next.checked_sub(1).and_then(|last| scalars.get(last)).is_some_and(|scalar| scalar.contains(&at))
    };
    let mut found = Vec::new();
    let mut above: Vec<String> = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let (from, to) = (start, start + line.len());
        start = to;
        let begins = |(at, _): &(usize, char)| *at == 0 || line[..*at].ends_with([' ', '\t']);
        let hash = line.char_indices().filter(|(_, c)| *c == '#').filter(begins).find(|(at, _)| !inside(from + at));
        let comment = hash.map(|(at, _)| line[at..].trim_start_matches('#').trim().to_owned());
        let before = hash.map_or(line, |(at, _)| &line[..at]);
        let comment = comment.filter(|line| may_be_copied(line));
        if before.trim().is_empty() {
            match comment {
                Some(comment) => above.push(comment),
                // An empty line separates a comment from what follows.
                None if hash.is_none() => above.clear(),
                None => {}
            }
            continue;
        }
        let first = values.partition_point(|(at, _)| *at < from);
        let last = values.partition_point(|(at, _)| *at < to);
        if let Some((_, span)) = values.get(first).filter(|_| first < last && !above.is_empty()) {
            found.push((span.clone(), std::mem::take(&mut above)));
        }
        // A value that began earlier ends on this line.
        if let (Some(comment), Some((_, span))) = (comment, last.checked_sub(1).and_then(|last| values.get(last))) {
            found.push((span.clone(), vec![comment]));
        }
    }
    found
}

/// Collects where entries and items begin, with the bytes of their values, and the bytes of all scalars.
fn places(node: &Node, values: &mut Vec<(usize, Range<u32>)>, scalars: &mut Vec<Range<usize>>) {
    match &node.kind {
        Kind::Scalar(_) => scalars.push(node.span.range()),
        Kind::List(items) => {
            for item in items {
                values.push((item.span.range().start, item.span.start..item.span.end));
                places(item, values, scalars);
            }
        }
        Kind::Map(entries) => {
            for entry in entries {
                scalars.push(entry.key_span.range());
                values.push((entry.key_span.range().start, entry.value.span.start..entry.value.span.end));
                places(&entry.value, values, scalars);
            }
        }
    }
}

/// Writes the comments of fields above the entries that come from them; each is written once. One of a field that has no entry of
/// its own may stay with the entry that it is a part of.
pub(crate) fn attach(map: &mut Map, mut comments: Vec<SourceComment>) {
    of_fields(map, &mut comments);
    for comment in comments.into_iter().filter(|comment| comment.may_move) {
        if let Some(width) = nearest(map, &comment) {
            add(map, &comment, width);
        }
    }
}

/// The bytes of the smallest field around a comment that an entry comes from.
fn nearest(map: &Map, comment: &SourceComment) -> Option<u32> {
    let widths = map.0.iter().flat_map(|entry| {
        let inner = match &entry.value {
            Value::Map(map) => nearest(map, comment),
            Value::List(items) => {
                items.iter().filter_map(|item| as_map(item).and_then(|map| nearest(map, comment))).min()
            }
            Value::Text(_) | Value::Raw(_) => None,
        };
        [inner, around(entry, comment)]
    });
    widths.flatten().min()
}

/// Adds a comment to the first entry that comes from a field of this many bytes around it. Answers whether there is one.
fn add(map: &mut Map, comment: &SourceComment, width: u32) -> bool {
    map.0.iter_mut().any(|entry| {
        if around(entry, comment) == Some(width) {
            entry.comment.extend(comment.lines.iter().cloned());
            return true;
        }
        match &mut entry.value {
            Value::Map(map) => add(map, comment, width),
            Value::List(items) => items.iter_mut().any(|item| match item {
                Value::Map(map) => add(map, comment, width),
                _ => false,
            }),
            Value::Text(_) | Value::Raw(_) => false,
        }
    })
}

fn as_map(value: &Value) -> Option<&Map> {
    if let Value::Map(map) = value { Some(map) } else { None }
}

/// The bytes of the field that an entry comes from, when a comment is inside it.
fn around(entry: &Entry, comment: &SourceComment) -> Option<u32> {
    let origin = entry.origin.as_ref().filter(|origin| origin.file == comment.file)?;
    let span = origin.span.as_ref()?;
    (span.start <= comment.span.start && comment.span.end <= span.end).then_some(span.end - span.start)
}

fn of_fields(map: &mut Map, comments: &mut Vec<SourceComment>) {
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
        Value::Map(map) => of_fields(map, comments),
        Value::List(items) => items.iter_mut().for_each(|item| within(item, comments)),
        Value::Text(_) | Value::Raw(_) => {}
    }
}
