//! Locations in a manifest, by keys and indices instead of by line.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One step of a [`Route`]: a mapping key or a sequence index.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Segment {
    /// A key of a mapping.
    Key(String),
    /// An index of a sequence, from zero.
    Index(usize),
}

/// A symbolic location in a manifest; the line is looked up only when a message is rendered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route(pub Vec<Segment>);

impl Route {
    /// The route of the document itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// This route with a key appended.
    #[must_use]
    pub fn key(&self, key: impl Into<String>) -> Self {
        let mut segments = self.0.clone();
        segments.push(Segment::Key(key.into()));
        Self(segments)
    }

    /// This route with an index appended.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        let mut segments = self.0.clone();
        segments.push(Segment::Index(index));
        Self(segments)
    }

    /// The parent route; the root is its own parent.
    #[must_use]
    pub fn parent(&self) -> Self {
        let mut segments = self.0.clone();
        segments.pop();
        Self(segments)
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if position == 0 => write!(f, "{key}")?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_a_path() {
        let route = Route::root().key("images").key("web").key("build").index(2).key("run");
        assert_eq!(route.to_string(), "images.web.build[2].run");
        assert_eq!(route.parent().to_string(), "images.web.build[2]");
    }
}
