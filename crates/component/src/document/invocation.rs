//! A document, with what it is run with.

use std::collections::HashMap;

use super::Document;

/// A document, with what it is run with.
pub(crate) struct Invocation<'a> {
    pub(crate) document: &'a Document,
    /// Its file's name, for messages.
    pub(crate) name: &'a str,
    /// Values of its parameters.
    pub(crate) parameters: &'a [(String, String)],
    /// The phases that run. Default: all of them.
    pub(crate) phases: Option<&'a [&'a str]>,
    /// The documents that run this one, the outermost first.
    pub(crate) callers: &'a [String],
}

impl Invocation<'_> {
    /// Parameters and constants by name; what has no value is empty, as in AWSTOE.
    pub(crate) fn variables(&self) -> HashMap<String, String> {
        let given = |name: &str| self.parameters.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value);
        let variables = self.document.variables.iter();
        variables
            .map(|variable| {
                let given = given(&variable.name).filter(|_| !variable.constant);
                (variable.name.clone(), given.or(variable.value.as_ref()).cloned().unwrap_or_default())
            })
            .collect()
    }
}
