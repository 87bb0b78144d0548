//! Changes of the installed packages in a bake.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::Package;

/// A package whose version changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PackageChange {
    /// Name of the package, with the architecture on machines with several.
    pub name: String,
    /// The version before.
    pub from: String,
    /// The version after.
    pub to: String,
}

/// The difference between two lists of installed packages, each part sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PackageChanges {
    /// Packages that were installed.
    pub added: Vec<Package>,
    /// Packages that were removed.
    pub removed: Vec<Package>,
    /// Packages whose version changed.
    pub changed: Vec<PackageChange>,
}

impl PackageChanges {
    /// What changed from `before` to `after`.
    pub fn between(before: &[Package], after: &[Package]) -> Self {
        Self::between_versions(&versions(before), &versions(after))
    }

    /// What changed between two maps of versions by name.
    pub fn between_versions(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Self {
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
        Self { added: only_in(after, before), removed: only_in(before, after), changed }
    }

    /// True when both lists were the same.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// Versions by name; for a package with several versions (kernels), all of them in their order.
pub(super) fn versions(packages: &[Package]) -> BTreeMap<String, String> {
    let mut versions: BTreeMap<String, String> = BTreeMap::new();
    for Package { name, version } in packages {
        versions
            .entry(name.clone())
            .and_modify(|there| {
                there.push_str(", ");
                there.push_str(version);
            })
            .or_insert_with(|| version.clone());
    }
    versions
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

    #[test]
    fn a_second_kernel_is_a_change() {
        let before = [package("kernel", "6.1")];
        let after = [package("kernel", "6.1"), package("kernel", "6.2")];
        let kernel = PackageChange { name: "kernel".into(), from: "6.1".into(), to: "6.1, 6.2".into() };
        assert_eq!(PackageChanges::between(&before, &after).changed, [kernel]);
    }
}
