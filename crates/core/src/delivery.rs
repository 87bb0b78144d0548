//! The result of publishing to one region of one account, or to one repository of a registry.

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// Result of publishing to one region. Regions are independent: one's failure hides no other's success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Delivery {
    /// The region; for a container image the repository with its registry: `registry.example.com/shop/web`.
    pub region: String,
    /// The account, if it is not the bake's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// ID of the image there once it is registered; in a repository its digest.
    pub image: Option<String>,
    /// What was done, in order, each in a few words: `registered`, `shared with 111122223333`. Nothing that was already
    /// in place is listed.
    pub done: Vec<String>,
    /// Why the rest was not done.
    pub failure: Option<Failure>,
}
