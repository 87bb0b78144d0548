//! Distribution of a tested image: other regions, other accounts, and parameters with its ID.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The manifest's `publish`, except name and tags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// Value of `publish.if`; when false the image is only registered in the home region.
    pub wanted: bool,
    /// Regions that get the image. The home region may be among them.
    pub regions: Vec<RegionPlan>,
    /// Other accounts that get a copy of the image.
    pub targets: Vec<TargetPlan>,
    /// How the image is copied to other regions.
    pub copy: CopyMethod,
    /// Who may launch the image.
    pub share: Share,
    /// Names of parameters that are set to the image's ID, in every region.
    pub parameters: Vec<String>,
    /// Time from publication to deprecation of the image.
    pub deprecate_after: Option<Duration>,
    /// True to protect the image from deregistration.
    pub protect: bool,
    /// Where the image's ID is written in the repository, once it is published.
    pub writes: Vec<WriteBack>,
    /// The environment (`--environment`) in whose name it is published, where the platform tells environments apart.
    pub environment: Option<String>,
}

/// A place in the repository that holds the ID of the newest image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteBack {
    /// The place.
    pub place: WritePlace,
    /// The region whose image is meant. Default: the home region.
    pub region: Option<String>,
}

/// Where an ID is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WritePlace {
    /// A value in a file.
    File {
        /// Path of the file in the repository.
        path: String,
        /// JSON pointer to the value.
        pointer: String,
        /// How the change is made.
        mode: WriteMode,
        /// The branch that is changed. Default: the repository's default branch.
        branch: Option<String>,
    },
    /// A variable of the repository.
    Variable {
        /// Name of the variable.
        name: String,
    },
}

/// How a file of the repository is changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteMode {
    /// By a pull request.
    #[default]
    PullRequest,
    /// By a commit on the branch.
    Commit,
}

/// A region that gets the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionPlan {
    /// The region.
    pub region: String,
    /// The key that encrypts the image in this region.
    pub kms_key: Option<String>,
}

/// Another account that gets a copy of the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetPlan {
    /// ARN of the role to assume in the account.
    pub role: String,
    /// Regions of the account that get the image.
    pub regions: Vec<RegionPlan>,
}

/// How an image is copied to another region.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CopyMethod {
    /// The snapshots are copied while the image is tested, and registered once it has passed.
    #[default]
    Snapshot,
    /// The platform copies the registered image.
    Image,
}

/// Who may launch an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// IDs of accounts.
    pub accounts: Vec<String>,
    /// Organizations, by ARN.
    pub organizations: Vec<String>,
    /// Organizational units, by ARN.
    pub organizational_units: Vec<String>,
    /// True for everyone.
    pub public: bool,
}

impl Share {
    /// True when the image is not shared.
    pub fn is_nobody(&self) -> bool {
        *self == Self::default()
    }
}

impl Distribution {
    /// True when there is anything to do after the registration in the home region. The environment's tag alone is
    /// not: `promote` skips images that an environment does not publish.
    pub fn is_needed(&self) -> bool {
        let Self { wanted, regions, targets, share, parameters, deprecate_after, protect, .. } = self;
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
