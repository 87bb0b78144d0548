//! How many versions of an image are kept.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What of an image's versions stays: what either rule keeps is kept; without a rule everything is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Number of the highest versions to keep.
    pub last: Option<u32>,
    /// Everything that is younger.
    pub newer_than: Option<Duration>,
}

impl Retention {
    /// True when everything stays.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}
