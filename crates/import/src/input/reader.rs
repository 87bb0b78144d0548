//! One value of the input, with its path: whoever uses it ticks it off.

use super::log::{key, leaves};
use super::{Finding, Kind, Log};
use crate::json::{self, Node};

/// One value of the input.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    pub(crate) node: &'a Node,
    file: &'a str,
    path: String,
    log: &'a Log,
}

impl<'a> Reader<'a> {
    /// A whole file.
    pub(crate) fn root(node: &'a Node, file: &'a str, log: &'a Log) -> Self {
        Self { node, file, path: String::new(), log }
    }

    /// The value of a key that is not `null`; `null` means unset and is ticked off.
    pub(crate) fn get(&self, name: &str) -> Option<Reader<'a>> {
        let node = self.node.get(name)?;
        let reader = Self { node, path: key(&self.path, name), ..self.clone() };
        if node.kind == json::Kind::Null {
            reader.tick();
            return None;
        }
        Some(reader)
    }

    /// All keys with their values, the last one of each.
    pub(crate) fn entries(&self) -> Vec<(&'a str, Reader<'a>)> {
        let mut entries: Vec<(&str, Reader)> = Vec::new();
        for member in self.node.members() {
            let reader = Self { node: &member.value, path: key(&self.path, &member.key), ..self.clone() };
            match entries.iter_mut().find(|(name, _)| *name == member.key) {
                Some(entry) => entry.1 = reader,
                None => entries.push((&member.key, reader)),
            }
        }
        entries
    }

    /// The items of a list; a value that is none stands for a list of one.
    pub(crate) fn items(&self) -> Vec<Reader<'a>> {
        match &self.node.kind {
            json::Kind::List(items) => {
                if items.is_empty() {
                    self.tick();
                }
                let item = |(at, node)| Self { node, path: format!("{}[{at}]", self.path), ..self.clone() };
                items.iter().enumerate().map(item).collect()
            }
            json::Kind::Null => {
                self.tick();
                Vec::new()
            }
            _ => vec![self.clone()],
        }
    }

    /// Whether it is a map.
    pub(crate) fn is_map(&self) -> bool {
        matches!(self.node.kind, json::Kind::Map(_))
    }

    /// Whether it is a list.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self.node.kind, json::Kind::List(_))
    }

    /// The text of a scalar, ticked off.
    pub(crate) fn text(&self) -> Option<&'a str> {
        let text = self.node.scalar()?;
        self.tick();
        Some(text)
    }

    /// Ticks it off with everything in it.
    pub(crate) fn tick(&self) {
        leaves(self.node, &self.path, &mut |path| self.log.tick(self.file, path));
    }

    /// Whether somebody looked at this scalar.
    pub(crate) fn is_ticked(&self) -> bool {
        self.log.is_ticked(self.file, &self.path)
    }

    /// It does not come over: why, and what to do.
    pub(crate) fn drop(&self, why: impl Into<String>, help: impl Into<String>) {
        self.tick();
        self.say(Kind::Dropped, why.into(), help.into());
    }

    /// It comes over, but means something a little different.
    pub(crate) fn changed(&self, why: impl Into<String>, help: impl Into<String>) {
        self.say(Kind::Changed, why.into(), help.into());
    }

    fn say(&self, kind: Kind, why: String, help: String) {
        self.log.say(Finding { kind, file: self.file.to_owned(), path: self.path.clone(), why, help });
    }

    /// Its path in the file.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The file's name.
    pub(crate) fn file(&self) -> &'a str {
        self.file
    }

    /// Where all is written down.
    pub(crate) fn log(&self) -> &'a Log {
        self.log
    }
}
