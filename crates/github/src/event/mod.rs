//! The event that started a workflow, and what follows from it: version and trust.

mod bump;
mod merged;
mod trust;
mod version;
mod workflow;

pub use merged::bump_of_commit;
pub use workflow::Workflow;

#[cfg(test)]
mod payloads;
