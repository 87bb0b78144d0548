//! Retention: how many versions of an image are kept.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The manifest's `retention`. An image is kept if either rule keeps it; without rules all images are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Number of the highest versions to keep.
    pub last: Option<u32>,
    /// Maximum age of images to keep.
    pub newer_than: Option<Duration>,
}

impl Retention {
    /// True when there is no rule, so all versions are kept.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}
