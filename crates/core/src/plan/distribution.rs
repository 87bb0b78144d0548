//! Where a tested image goes: other regions, other accounts' hands, the parameters that point at it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the manifest says of publishing, beyond name and tags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// The truth of `publish.if`. When false the image stays as it is registered, in the home region alone.
    pub wanted: bool,
    /// Regions that get the image. The home region may be among them.
    pub regions: Vec<RegionPlan>,
    /// Other accounts that get an image of their own.
    pub targets: Vec<TargetPlan>,
    /// How the image is copied to other regions.
    pub copy: CopyMethod,
    /// Who may launch it.
    pub share: Share,
    /// Names of parameters that are set to the image's id, in every region.
    pub parameters: Vec<String>,
    /// How long after its publication it is marked as deprecated.
    pub deprecate_after: Option<Duration>,
    /// Protect it from being deregistered.
    pub protect: bool,
}

/// A region that gets the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionPlan {
    /// The region.
    pub region: String,
    /// The key that encrypts the image there.
    pub kms_key: Option<String>,
}

/// Another account that gets an image of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetPlan {
    /// The role to assume there.
    pub role: String,
    /// The regions there.
    pub regions: Vec<RegionPlan>,
}

/// How an image is copied to another region.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CopyMethod {
    /// Its snapshots are copied while it is tested, and registered when it passed.
    #[default]
    Snapshot,
    /// The platform copies the registered image.
    Image,
}

/// Who may launch an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Accounts.
    pub accounts: Vec<String>,
    /// Organizations, by ARN.
    pub organizations: Vec<String>,
    /// Organizational units, by ARN.
    pub organizational_units: Vec<String>,
    /// Everyone.
    pub public: bool,
}

impl Share {
    /// True when the image stays with its account.
    pub fn is_nobody(&self) -> bool {
        *self == Self::default()
    }
}

impl Distribution {
    /// True when there is anything to do after the registration in the home region.
    pub fn is_needed(&self) -> bool {
        let Self { wanted, regions, targets, copy: _, share, parameters, deprecate_after, protect } = self;
        *wanted
            && (*protect
                || deprecate_after.is_some()
                || !(regions.is_empty() && targets.is_empty() && parameters.is_empty() && share.is_nobody()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_wanted_needs_nothing() {
        let wanted = Distribution { wanted: true, ..Distribution::default() };
        assert!(!wanted.is_needed());
        let protect = Distribution { protect: true, ..wanted.clone() };
        assert!(protect.is_needed());
        assert!(!Distribution { wanted: false, ..protect }.is_needed());
        let share = Share { public: true, ..Share::default() };
        assert!(Distribution { share, ..wanted }.is_needed());
    }
}
