//! Access to values of the input, which marks them as used.

use std::borrow::Cow;

use super::{FindingKind, InputValue, Location, Log, ValueKind};
use crate::template::{Template, Unsupported};

/// A value of the input, with the log for its findings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) value: &'a InputValue,
    log: &'a Log,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(value: &'a InputValue, log: &'a Log) -> Self {
        Self { value, log }
    }

    /// The value of a key that is not `null`; `null` means unset and is marked as used.
    pub(crate) fn get(&self, name: &str) -> Option<Reader<'a>> {
        let reader = Self { value: self.value.get(name)?, ..*self };
        if reader.value.kind == ValueKind::Null {
            reader.mark_used();
            return None;
        }
        Some(reader)
    }

    /// The first of several keys that exists.
    pub(crate) fn first(&self, names: &[&str]) -> Option<Reader<'a>> {
        names.iter().find_map(|name| self.get(name))
    }

    /// All keys with their values; of duplicate keys the last.
    pub(crate) fn entries(&self) -> Vec<(&'a str, Reader<'a>)> {
        self.value.entries().map(|member| (member.key.as_str(), Self { value: &member.value, ..*self })).collect()
    }

    /// The items of a list; a single value counts as a list of one.
    pub(crate) fn items(&self) -> Vec<Reader<'a>> {
        match &self.value.kind {
            ValueKind::List(items) => {
                if items.is_empty() {
                    self.mark_used();
                }
                items.iter().map(|value| Self { value, ..*self }).collect()
            }
            ValueKind::Null => {
                self.mark_used();
                Vec::new()
            }
            _ => vec![*self],
        }
    }

    /// Whether the value is a map.
    pub(crate) fn is_map(&self) -> bool {
        matches!(self.value.kind, ValueKind::Map(_))
    }

    /// Whether the value is a list.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self.value.kind, ValueKind::List(_))
    }

    /// Whether the value is an empty text or `false`, which means unset.
    pub(crate) fn is_unset(&self) -> bool {
        matches!(self.value.literal(), Some("" | "false"))
    }

    /// The text of a scalar without actions, marked as used.
    pub(crate) fn text(&self) -> Option<&'a str> {
        let text = self.value.literal()?;
        self.mark_used();
        Some(text)
    }

    /// A scalar as a template, marked as used.
    pub(crate) fn template(&self) -> Option<Cow<'a, Template>> {
        let template = self.value.template()?;
        self.mark_used();
        Some(template)
    }

    /// Marks the value and everything in it as used.
    pub(crate) fn mark_used(&self) {
        self.value.mark_used();
    }

    /// Reports that the value is not imported: why, and what to do.
    pub(crate) fn drop(&self, why: impl Into<String>, help: impl Into<String>) {
        self.mark_used();
        self.log.report(FindingKind::Dropped, self.location(), why, help);
    }

    /// Reports why it can't be carried over.
    pub(crate) fn unsupported(&self, unsupported: Unsupported) {
        self.mark_used();
        self.log.unsupported(self.location(), unsupported);
    }

    /// Reports that the value is imported with a slightly different meaning.
    pub(crate) fn changed(&self, why: impl Into<String>, help: impl Into<String>) {
        self.log.report(FindingKind::Changed, self.location(), why, help);
    }

    /// Location of the value in the input.
    pub(crate) fn location(&self) -> &'a Location {
        &self.value.location
    }

    /// The log for findings.
    pub(crate) fn log(&self) -> &'a Log {
        self.log
    }
}
