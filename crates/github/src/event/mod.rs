//! What started a workflow, and what follows from it: version, trust.

mod bump;
mod trust;
mod version;
mod workflow;

pub use bump::of_labels as bump_of_labels;
pub use workflow::Workflow;
