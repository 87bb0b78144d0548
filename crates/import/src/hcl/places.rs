//! From paths of the tree to paths of the template.

use std::collections::HashMap;

use crate::input::Finding;

/// Where values of the tree stand in the template.
#[derive(Debug, Default)]
pub(super) struct Places(HashMap<String, (String, String)>);

impl Places {
    /// A value of the tree stands in this file at this path.
    pub(super) fn set(&mut self, tree: impl Into<String>, file: &str, path: impl Into<String>) {
        self.0.insert(tree.into(), (file.to_owned(), path.into()));
    }

    /// The finding as the author would look for it.
    pub(super) fn translate(&self, mut finding: Finding) -> Finding {
        let ends = finding.path.match_indices(['.', '[']).map(|(at, _)| at);
        let mut ends: Vec<usize> = ends.chain([finding.path.len()]).collect();
        ends.reverse();
        for end in ends {
            if let Some((file, path)) = self.0.get(&finding.path[..end]) {
                finding.path = format!("{path}{}", &finding.path[end..]);
                finding.file.clone_from(file);
                break;
            }
        }
        finding
    }
}
