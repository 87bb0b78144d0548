//! The ledger entries of a deployment, and how their resources are found again.

use serde::{Deserialize, Serialize};

/// The kind of a launch template's version.
pub(crate) const VERSION: &str = "launch-template-version";
/// The kind of an instance refresh.
pub(crate) const REFRESH: &str = "instance-refresh";
/// The kind of a group that takes over from another.
pub(crate) const GROUP: &str = "auto-scaling-group";

/// A version that is made. Its id is `TEMPLATE:NUMBER`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct VersionMark {
    /// The template's id.
    pub(super) template: String,
    /// What the version says of itself: it names the run, so that a lost answer's version is found.
    pub(super) description: String,
    /// The group that is moved to it.
    pub(super) group: Option<String>,
}

/// A refresh that is started. Its id is EC2's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RefreshMark {
    /// The group.
    pub(super) group: String,
    /// The template's id.
    pub(super) template: String,
    /// The number of the version that it brings.
    pub(super) version: i64,
}

/// A group that takes over. Its id is its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GroupMark {
    /// Name of the group.
    pub(super) group: String,
    /// The group that it takes over from.
    pub(super) replaces: String,
}

/// The mark as the ledger's `find_by` text.
pub(super) fn line(mark: &impl Serialize) -> String {
    // A struct of texts and numbers always is JSON.
    serde_json::to_string(mark).unwrap_or_default()
}

/// The id of a version.
pub(super) fn version_id(template: &str, number: i64) -> String {
    format!("{template}:{number}")
}

/// The number in a version's id.
pub(super) fn number_of(id: &str) -> Option<i64> {
    id.rsplit_once(':')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_whatever_its_names_hold() {
        let mark = RefreshMark { group: "web: \"a\"/b".to_owned(), template: "lt-1".to_owned(), version: 8 };
        assert_eq!(serde_json::from_str::<RefreshMark>(&line(&mark)).unwrap(), mark);
        assert_eq!(number_of(&version_id("lt-1", 8)), Some(8));
        assert_eq!(number_of("lt-1"), None);
    }
}
