//! Markdown for GitHub: escapes foreign text, and cuts documents between blocks and lines to fit a limit.

mod block;
mod escape;
mod fit;

pub use block::{Block, details, fenced, heading, table};
pub use escape::Escape;
pub use fit::{Limit, fit};
