//! All inputs of an import from Image Builder.

use std::cell::RefCell;

use super::collect::Collection;
use crate::context::Context;

/// All inputs of an import from Image Builder.
pub(super) struct Project<'r, 'a> {
    pub(super) all: &'r Collection<'a>,
    pub(super) context: Context<'r>,
    /// Component resources whose document was used or reported.
    pub(super) used: RefCell<Vec<String>>,
}
