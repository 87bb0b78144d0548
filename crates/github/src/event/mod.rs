//! The event that started a workflow, and its consequences for version and trust.

mod bump;
mod checkout;
mod code;
mod merged;
pub(crate) mod tag;
mod trust;
mod version;
mod workflow;

pub use code::Code;
pub use merged::bump_of_commit;
pub use tag::Names;
pub use version::{EventVersion, RepositoryTag, TagCommit, tags};
pub use workflow::Workflow;

#[cfg(test)]
mod payloads;
#[cfg(test)]
mod table;
