//! GitHub: how the runner talks with a container action, the OIDC token, and what is reported to people.

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

pub use context::Context;
