//! The users of each image.

use std::collections::{BTreeMap, BTreeSet};

/// Users by image, each in a few words.
pub(super) type Users = BTreeMap<String, BTreeSet<String>>;
