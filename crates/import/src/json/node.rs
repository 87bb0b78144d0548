//! A JSON value that knows its place in the file.

use std::ops::Range;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its bytes in the file; empty for values that came from YAML.
    pub(crate) span: Range<usize>,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it is written.
    Number(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file.
    Map(Vec<Member>),
}

/// One entry of a map.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    /// Its key.
    pub(crate) key: String,
    /// Its value.
    pub(crate) value: Node,
}

impl Node {
    /// A value without a place.
    pub(crate) fn bare(kind: Kind) -> Self {
        Self { kind, span: 0..0 }
    }

    /// The members of a map; none of anything else.
    pub(crate) fn members(&self) -> &[Member] {
        match &self.kind {
            Kind::Map(members) => members,
            _ => &[],
        }
    }

    /// The value of a key; of the last one where there are several, as Go's decoder does.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.members().iter().rev().find(|member| member.key == key).map(|member| &member.value)
    }

    /// A scalar as text: Packer takes numbers and booleans for texts and the other way round.
    pub(crate) fn scalar(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) | Kind::Number(text) => Some(text),
            Kind::Bool(true) => Some("true"),
            Kind::Bool(false) => Some("false"),
            Kind::Null | Kind::List(_) | Kind::Map(_) => None,
        }
    }
}
