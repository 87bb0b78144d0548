//! A document together with the arguments of its run.

use std::collections::HashMap;

use super::Document;

/// A document together with the arguments of its run.
pub(crate) struct Invocation<'a> {
    pub(crate) document: &'a Document,
    /// Name of its file, for messages.
    pub(crate) name: &'a str,
    /// Values of the document's parameters.
    pub(crate) parameters: &'a [(String, String)],
    /// The phases to run. Default: all.
    pub(crate) phases: Option<&'a [&'a str]>,
    /// The documents that run this one, outermost first.
    pub(crate) callers: &'a [String],
}

impl Invocation<'_> {
    /// Parameters and constants by name; without a value they are empty, as in AWSTOE.
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
