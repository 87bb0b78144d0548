//! Ledger entries of deployments, and the marks by which their resources are found again.

use serde::{Deserialize, Serialize};

/// Kind of a launch template version's entry.
pub(crate) const VERSION: &str = "launch-template-version";
/// Kind of an instance refresh's entry.
pub(crate) const REFRESH: &str = "instance-refresh";
/// Kind of the entry of a group that replaces another.
pub(crate) const GROUP: &str = "auto-scaling-group";

/// Mark of a template version. The entry's ID is `TEMPLATE:NUMBER`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct VersionMark {
    /// ID of the template.
    pub(super) template: String,
    /// Description of the version, which names the run, so that the version of a lost answer is found.
    pub(super) description: String,
    /// The group that is moved to the version.
    pub(super) group: Option<String>,
}

/// Mark of an instance refresh. The entry's ID is EC2's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RefreshMark {
    /// The group.
    pub(super) group: String,
    /// ID of the template.
    pub(super) template: String,
    /// Number of the version that is rolled out.
    pub(super) version: i64,
}

/// Mark of a group that replaces another. The entry's ID is the group's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GroupMark {
    /// Name of the group.
    pub(super) group: String,
    /// The group that is replaced.
    pub(super) replaces: String,
}

/// The mark as the ledger's `find_by` text.
pub(super) fn line(mark: &impl Serialize) -> String {
    // A struct of strings and numbers always serializes.
    serde_json::to_string(mark).unwrap_or_default()
}

/// The ID of a version's entry.
pub(super) fn version_id(template: &str, number: i64) -> String {
    format!("{template}:{number}")
}

/// The version number in an entry's ID.
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
