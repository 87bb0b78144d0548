//! Converts post-processors.

mod docker;
mod process;

pub(super) use process::{process, rest};
