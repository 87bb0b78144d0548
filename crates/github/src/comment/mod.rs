//! The one comment of a pull request that belongs to a bake: found by its author and a hidden marker, kept up to date.

mod body;
mod pull;
mod upsert;

pub use body::{default_key, render};
pub use pull::{Pull, of_event};
pub use upsert::{Done, Posted, upsert};
