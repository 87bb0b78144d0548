//! Everything that images are imported from.

use std::cell::RefCell;

use super::collect::Collection;
use crate::context::Context;

/// Everything that images are imported from.
pub(super) struct Project<'r, 'a> {
    pub(super) all: &'r Collection<'a>,
    pub(super) context: Context<'r>,
    /// Component resources whose document was used or reported.
    pub(super) used: RefCell<Vec<String>>,
}
