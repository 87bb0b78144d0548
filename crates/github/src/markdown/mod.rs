//! Markdown for GitHub: text that others made, made harmless; blocks that are cut at their seams when a limit is near.

mod block;
mod escape;
mod fit;

pub use block::{Block, details, heading, table};
pub use escape::Escape;
pub use fit::{Limit, fit};
