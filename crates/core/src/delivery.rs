//! What publishing came to in one region.

use serde::{Deserialize, Serialize};

use crate::event::Failure;

/// One region's part of a publication. Regions don't wait for each other, and one's failure hides no other's success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Delivery {
    /// The region.
    pub region: String,
    /// The image's id there, once it is registered.
    pub image: Option<String>,
    /// What was done, in order, each in a few words: `registered`, `shared with 111122223333`. What was there already
    /// is not repeated and not listed.
    pub done: Vec<String>,
    /// Why the rest was not done.
    pub failure: Option<Failure>,
}
