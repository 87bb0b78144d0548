//! GitHub: the runner's protocol for container actions, OIDC tokens, and reports as summary, comment and release notes.

pub mod api;
pub mod comment;
pub mod console;
mod context;
pub mod event;
pub mod markdown;
pub mod oidc;
pub mod release;
pub mod runner;
mod sections;
pub mod summary;
mod versions;
pub mod write_back;

pub use context::{Context, WrittenId};
