//! The tree: values with their locations.

use std::collections::HashMap;

use ami_bake_core::{Route, Segment};
use serde_json::Value;

use crate::diagnostic::Span;

/// A value and its location.
#[derive(Debug, Clone)]
pub struct Node {
    /// Location of the value; for an alias that of the anchored value.
    pub span: Span,
    /// Kind and content of the node.
    pub kind: Kind,
}

/// Kind and content of a value.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A single value.
    Scalar(Scalar),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file. YAML keys are unique; JSON keys may repeat.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Location of the key.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

/// A single value: its text, and its meaning in YAML 1.2's core schema.
#[derive(Debug, Clone)]
pub struct Scalar {
    /// The text after escapes and folding.
    pub text: String,
    /// Meaning of the text.
    pub meaning: Meaning,
}

/// Meaning of a scalar's text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Meaning {
    /// No value: empty, `~`, `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A string.
    Text,
}

impl Node {
    /// The entries of a map; empty for other kinds.
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; empty for other kinds.
    pub fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// The scalar, if the value is one.
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The text, if the value is a string.
    pub fn as_text(&self) -> Option<&str> {
        self.scalar().filter(|scalar| scalar.meaning == Meaning::Text).map(|scalar| scalar.text.as_str())
    }

    /// Whether the value is null.
    pub fn is_null(&self) -> bool {
        self.scalar().is_some_and(|scalar| scalar.meaning == Meaning::Null)
    }

    /// The entry with this key: the last one if JSON has several, as in most JSON readers.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().rev().find(|entry| entry.key == key)
    }

    /// The value of a key in a map.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The child for one segment of a route.
    pub fn child(&self, segment: &Segment) -> Option<&Node> {
        match segment {
            Segment::Key(key) => self.get(key),
            Segment::Index(index) => self.items().get(*index),
        }
    }

    /// The value at a route.
    pub fn at(&self, route: &[Segment]) -> Option<&Node> {
        route.iter().try_fold(self, |node, segment| node.child(segment))
    }

    /// The location of the longest part of a route that exists: of the value, or for the key of a map of the key
    /// itself.
    pub fn place(&self, route: &Route) -> Span {
        let mut node = self;
        let mut span = self.span;
        for segment in &route.0 {
            match (segment, node.child(segment)) {
                (Segment::Key(key), Some(child)) => {
                    span = if child.scalar().is_some() {
                        child.span
                    } else {
                        node.entry(key).map_or(span, |entry| entry.key_span)
                    };
                    node = child;
                }
                (Segment::Index(_), Some(child)) => {
                    span = child.entries().first().map_or(child.span, |entry| entry.key_span);
                    node = child;
                }
                (_, None) => break,
            }
        }
        span
    }

    /// The value as JSON.
    pub fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Scalar(scalar) => scalar.to_json(),
            Kind::List(items) => items.iter().map(Self::to_json).collect(),
            Kind::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect(),
        }
    }

    /// The kind of the value for messages.
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
            Kind::Scalar(scalar) => match scalar.meaning {
                Meaning::Null => "nothing",
                Meaning::Boolean(_) => "a boolean",
                Meaning::Integer(_) | Meaning::Float(_) => "a number",
                Meaning::Text => "text",
            },
        }
    }

    /// Number of values in it, including itself.
    pub fn size(&self) -> usize {
        1 + match &self.kind {
            Kind::Scalar(_) => 0,
            Kind::List(items) => items.iter().map(Self::size).sum(),
            Kind::Map(entries) => entries.iter().map(|entry| entry.value.size()).sum(),
        }
    }

    /// Maximum depth of nesting.
    pub fn depth(&self) -> usize {
        1 + match &self.kind {
            Kind::Scalar(_) => 0,
            Kind::List(items) => items.iter().map(Self::depth).max().unwrap_or(0),
            Kind::Map(entries) => entries.iter().map(|entry| entry.value.depth()).max().unwrap_or(0),
        }
    }

    /// This map with `over` merged over it: maps are merged, everything else is replaced (see docs/dev/manifest.md).
    #[must_use]
    pub fn merged(&self, over: &Node) -> Node {
        let (Kind::Map(below), Kind::Map(above)) = (&self.kind, &over.kind) else {
            return over.clone();
        };
        let mut entries = below.clone();
        let positions: HashMap<&str, usize> =
            below.iter().enumerate().map(|(position, entry)| (entry.key.as_str(), position)).collect();
        for entry in above {
            match positions.get(entry.key.as_str()) {
                Some(position) => {
                    let value = below[*position].value.merged(&entry.value);
                    entries[*position] = Entry { key: entry.key.clone(), key_span: entry.key_span, value };
                }
                None => entries.push(entry.clone()),
            }
        }
        Node { span: over.span, kind: Kind::Map(entries) }
    }
}

impl Scalar {
    /// The value as JSON.
    pub fn to_json(&self) -> Value {
        match self.meaning {
            Meaning::Null => Value::Null,
            Meaning::Boolean(value) => value.into(),
            Meaning::Integer(value) => value.into(),
            Meaning::Float(value) => value.into(),
            Meaning::Text => self.text.as_str().into(),
        }
    }

    /// Whether formatting the value gives the text in the file.
    pub fn survives(&self) -> bool {
        match self.meaning {
            Meaning::Null => false,
            Meaning::Boolean(value) => self.text == if value { "true" } else { "false" },
            Meaning::Integer(value) => self.text == value.to_string(),
            Meaning::Float(value) => self.text == value.to_string(),
            Meaning::Text => true,
        }
    }
}
