//! What started a workflow, and what follows from it: version, trust.

mod bump;
mod merged;
mod trust;
mod version;
mod workflow;

pub use bump::of_labels as bump_of_labels;
pub use merged::bump_of_commit;
pub use workflow::Workflow;

#[cfg(test)]
mod payloads;
