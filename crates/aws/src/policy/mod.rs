//! The least that a role must be allowed for a manifest, as IAM policies.
//!
//! What a run makes carries `ami-bake:run` from its creation on, so that all that changes or deletes is allowed for
//! such things alone (Service Authorization Reference, Amazon EC2: which action takes which resource and condition).

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
