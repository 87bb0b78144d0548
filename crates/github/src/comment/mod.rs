//! The comment of a bake on a pull request, which is identified by its author and a hidden marker, and updated.

mod body;
mod pull;
mod upsert;

pub use body::{default_key, page, render};
pub use pull::{Pull, of_event};
pub use upsert::{Done, Posted, Previous, retire, upsert};
