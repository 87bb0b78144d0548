//! What a bake changed about the installed packages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::Package;

/// A package whose version changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PackageChange {
    /// Name, with the architecture where a machine has several.
    pub name: String,
    /// The version before.
    pub from: String,
    /// The version after.
    pub to: String,
}

/// The difference between two lists of installed packages, each part in the order of names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PackageChanges {
    /// Installed since.
    pub added: Vec<Package>,
    /// Gone since.
    pub removed: Vec<Package>,
    /// There before and after, in two versions.
    pub changed: Vec<PackageChange>,
}

impl PackageChanges {
    /// What changed from `before` to `after`.
    pub fn between(before: &[Package], after: &[Package]) -> Self {
        let versions = |packages: &[Package]| -> BTreeMap<String, String> {
            packages.iter().map(|package| (package.name.clone(), package.version.clone())).collect()
        };
        let (before, after) = (versions(before), versions(after));
        let only_in = |here: &BTreeMap<String, String>, there: &BTreeMap<String, String>| {
            here.iter()
                .filter(|(name, _)| !there.contains_key(*name))
                .map(|(name, version)| Package { name: name.clone(), version: version.clone() })
                .collect()
        };
        let changed = before
            .iter()
            .filter_map(|(name, from)| {
                let to = after.get(name).filter(|to| *to != from)?;
                Some(PackageChange { name: name.clone(), from: from.clone(), to: to.clone() })
            })
            .collect();
        Self { added: only_in(&after, &before), removed: only_in(&before, &after), changed }
    }

    /// True when both lists were the same.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str) -> Package {
        Package { name: name.to_owned(), version: version.to_owned() }
    }

    #[test]
    fn added_removed_and_changed_are_apart() {
        let before = [package("curl", "7.88"), package("vim", "9.0"), package("libc6", "2.36")];
        let after = [package("libc6", "2.36"), package("curl", "8.0"), package("nginx", "1.22")];
        let changes = PackageChanges::between(&before, &after);
        assert_eq!(changes.added, [package("nginx", "1.22")]);
        assert_eq!(changes.removed, [package("vim", "9.0")]);
        let curl = PackageChange { name: "curl".into(), from: "7.88".into(), to: "8.0".into() };
        assert_eq!(changes.changed, [curl]);
        assert!(PackageChanges::between(&before, &before).is_empty());
    }
}
