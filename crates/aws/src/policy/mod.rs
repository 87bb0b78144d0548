//! The minimal IAM policies for a manifest.
//!
//! Every resource of a run is tagged `ami-bake:run` when it is created, so changes and deletes are only allowed for
//! resources with this tag (Service Authorization Reference, Amazon EC2: which action takes which resource and
//! condition).

mod bake;
mod document;
#[cfg(test)]
pub(crate) mod fixture;
mod outline;
mod publish;
mod roles;
mod scope;
mod statement;
#[cfg(test)]
mod tests;

pub(crate) use document::{at_home, elsewhere};
pub use document::{policy, policy_of_target};
pub(crate) use outline::copied;
pub use outline::{Outline, targets};
pub(crate) use roles::{GROUP_ROLE, SPOT_ROLE};
pub use scope::PolicyScope;
pub(crate) use statement::Statement;
