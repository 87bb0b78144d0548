//! Values of the input, independent of its format.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use ami_bake_manifest::tree::{self, Meaning, Node};

use crate::template::Template;

/// Location of a value in the input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Location {
    /// Name of the file.
    pub(crate) file: Rc<str>,
    /// Path in the file, such as `builders[0].ami_users`.
    pub(crate) path: String,
    /// Byte range in the file; for a computed value that of the nearest enclosing value.
    pub(crate) span: Option<Range<u32>>,
}

/// A value of the input.
#[derive(Debug)]
pub(crate) struct InputValue {
    pub(crate) kind: ValueKind,
    pub(crate) location: Location,
    /// Whether the value was used, or reported as unused.
    used: Cell<bool>,
}

/// Kind and content of a value.
#[derive(Debug, PartialEq)]
pub(crate) enum ValueKind {
    Null,
    Bool(bool),
    /// A number, as written.
    Number(String),
    Text(Template),
    List(Vec<InputValue>),
    /// A map, in the order of the file. JSON may have a key more than once; the last one counts, as in Go's decoder.
    Map(Vec<Member>),
}

/// An entry of a map.
#[derive(Debug, PartialEq)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) value: InputValue,
}

/// Values compare equal wherever they were written.
impl PartialEq for InputValue {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl Location {
    pub(crate) fn new(file: &Rc<str>, path: impl Into<String>) -> Self {
        Self { file: Rc::clone(file), path: path.into(), span: None }
    }

    /// The location of a key in this map.
    pub(crate) fn key(&self, name: &str) -> Self {
        Self { path: key(&self.path, name), ..self.clone() }
    }

    /// The location of an item in this list.
    pub(crate) fn index(&self, at: usize) -> Self {
        Self { path: format!("{}[{at}]", self.path), ..self.clone() }
    }

    /// The same location with this byte range, if known.
    pub(crate) fn at(mut self, span: Option<Range<usize>>) -> Self {
        if let Some(span) = span {
            let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            self.span = Some(offset(span.start)..offset(span.end));
        }
        self
    }
}

impl InputValue {
    pub(crate) fn new(kind: ValueKind, location: Location) -> Self {
        Self { kind, location, used: Cell::new(false) }
    }

    /// Converts a value of a JSON or YAML file.
    pub(crate) fn of_tree(node: &Node, location: Location) -> Self {
        let location = location.at(Some(node.span.range()));
        let kind = match &node.kind {
            tree::Kind::Scalar(scalar) => match scalar.meaning {
                Meaning::Null => ValueKind::Null,
                Meaning::Boolean(value) => ValueKind::Bool(value),
                Meaning::Integer(_) | Meaning::Float(_) => ValueKind::Number(scalar.text.clone()),
                Meaning::Text => ValueKind::Text(Template::text(scalar.text.as_str())),
            },
            tree::Kind::List(items) => ValueKind::List(
                items.iter().enumerate().map(|(at, item)| Self::of_tree(item, location.index(at))).collect(),
            ),
            tree::Kind::Map(entries) => {
                let member = |entry: &tree::Entry| Member {
                    key: entry.key.clone(),
                    value: Self::of_tree(&entry.value, location.key(&entry.key)),
                };
                ValueKind::Map(entries.iter().map(member).collect())
            }
        };
        Self::new(kind, location)
    }

    /// Number of bytes that the paths of all values in a document take; `path` is the length of the node's own.
    pub(crate) fn weight(node: &Node, path: usize) -> usize {
        let below = match &node.kind {
            tree::Kind::Scalar(_) => 0,
            tree::Kind::List(items) => {
                items.iter().map(|item| Self::weight(item, path + 4)).fold(0, usize::saturating_add)
            }
            tree::Kind::Map(entries) => entries
                .iter()
                .map(|entry| Self::weight(&entry.value, path + entry.key.len().min(LONGEST_KEY)))
                .fold(0, usize::saturating_add),
        };
        below.saturating_add(path + 64)
    }

    /// The entries of a map; empty for other values.
    pub(crate) fn members(&self) -> &[Member] {
        match &self.kind {
            ValueKind::Map(members) => members,
            _ => &[],
        }
    }

    /// The effective entries: of duplicate keys the last.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Member> {
        let members = self.members();
        let last: HashMap<&str, usize> =
            members.iter().enumerate().map(|(at, member)| (member.key.as_str(), at)).collect();
        let counts = move |at: usize, member: &Member| last.get(member.key.as_str()) == Some(&at);
        members.iter().enumerate().filter(move |(at, member)| counts(*at, member)).map(|(_, member)| member)
    }

    /// The items of a list; empty for other values.
    pub(crate) fn items(&self) -> &[InputValue] {
        match &self.kind {
            ValueKind::List(items) => items,
            _ => &[],
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&InputValue> {
        self.members().iter().rev().find(|member| member.key == key).map(|member| &member.value)
    }

    /// Removes a key from a map and returns its value.
    pub(crate) fn take(&mut self, key: &str) -> Option<InputValue> {
        let ValueKind::Map(members) = &mut self.kind else { return None };
        let at = members.iter().rposition(|member| member.key == key)?;
        let value = members.remove(at).value;
        // Earlier duplicates of the key are ignored.
        members.retain(|member| member.key != key);
        Some(value)
    }

    /// The effective entries of a map, in the order of the file.
    pub(crate) fn into_entries(self) -> Vec<Member> {
        let ValueKind::Map(members) = self.kind else { return Vec::new() };
        let mut last: HashMap<String, usize> = HashMap::new();
        for (at, member) in members.iter().enumerate() {
            last.insert(member.key.clone(), at);
        }
        let counts = |(at, member): &(usize, Member)| last.get(&member.key) == Some(at);
        members.into_iter().enumerate().filter(counts).map(|(_, member)| member).collect()
    }

    /// Whether the value is text, a number or a boolean.
    pub(crate) fn is_scalar(&self) -> bool {
        matches!(self.kind, ValueKind::Text(_) | ValueKind::Number(_) | ValueKind::Bool(_))
    }

    /// A scalar without actions as text: Packer converts numbers and booleans to text and vice versa.
    pub(crate) fn literal(&self) -> Option<&str> {
        match &self.kind {
            ValueKind::Text(template) => template.literal(),
            ValueKind::Number(text) => Some(text),
            ValueKind::Bool(true) => Some("true"),
            ValueKind::Bool(false) => Some("false"),
            ValueKind::Null | ValueKind::List(_) | ValueKind::Map(_) => None,
        }
    }

    /// A scalar as a template.
    pub(crate) fn template(&self) -> Option<Cow<'_, Template>> {
        match &self.kind {
            ValueKind::Text(template) => Some(Cow::Borrowed(template)),
            _ => self.literal().map(|text| Cow::Owned(Template::text(text))),
        }
    }

    /// Marks the value and everything in it as used.
    pub(crate) fn mark_used(&self) {
        self.used.set(true);
        self.members().iter().for_each(|member| member.value.mark_used());
        self.items().iter().for_each(InputValue::mark_used);
    }

    /// Whether the value was marked as used.
    pub(crate) fn is_used(&self) -> bool {
        self.used.get()
    }
}

/// Maximum length of a key in paths; longer ones are cut.
const LONGEST_KEY: usize = 128;

/// The path with a key appended.
pub(crate) fn key(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    // Paths are for people to read, and there is one for every value.
    if key.len() > LONGEST_KEY {
        let start: String = key.chars().take(LONGEST_KEY / 4).collect();
        return self::key(path, &format!("{start}…"));
    }
    match (path.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{key:?}]"),
    }
}
