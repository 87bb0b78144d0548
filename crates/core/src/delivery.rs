//! What publishing came to in one region of one account, or one repository of a registry.

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// One region's part of a publication. Regions don't wait for each other, and one's failure hides no other's success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Delivery {
    /// The region; of a container image its repository, with the registry: `registry.example.com/shop/web`.
    pub region: String,
    /// The account, where it is another than the bake's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The image's id there, once it is registered; in a repository its digest.
    pub image: Option<String>,
    /// What was done, in order, each in a few words: `registered`, `shared with 111122223333`. What was there already
    /// is not repeated and not listed.
    pub done: Vec<String>,
    /// Why the rest was not done.
    pub failure: Option<Failure>,
}
