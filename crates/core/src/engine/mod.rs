//! Runs a bake: images side by side, each through its stages, and the consequences of failures.

mod candidate_name;
mod clean_up;
mod decide;
mod deploy;
mod image;
mod options;
mod output;
mod owner;
mod patience;
mod phase;
mod plan;
mod publish;
mod published;
mod reason;
mod retention;
mod schedule;
mod stage;
mod tagging;
mod test;

pub use clean_up::{clean_up, finish};
pub use decide::{RequestedVersion, requested_version};
pub use options::{BakeContext, Options, TaggedVersion, VersionContext};
pub use owner::undo;
pub use patience::{Patience, Waiting};
pub use plan::{PlannedImage, plan};
pub use publish::{Chosen, Work, publish};
pub use schedule::bake;
pub use test::test;
