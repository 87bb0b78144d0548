//! Bakes on Amazon EC2: the only crate that names an AWS crate.
//!
//! [`Aws`] is the platform. Calls go through one wrapper that keeps to EC2's published rate limits and explains every
//! refusal; every resource is in the run's ledger before the request that creates it.
//!
//! The modules are layers, and none imports from a later one: [`client`], [`image`], [`lineage`], [`machine`],
//! [`capture`], [`usage`], [`publish`], [`deploy`], [`policy`], [`permissions`], [`sweep`], [`platform`].

mod capture;
mod client;
mod deploy;
mod image;
mod lineage;
mod machine;
mod permissions;
mod platform;
mod policy;
mod publish;
mod services;
mod sweep;
mod usage;

pub use client::Settings;
pub use client::identity::{Identity, RoleArn, Warn, both_forms, session_name, subject_forms, trust_policy};
pub use platform::{Aws, CAPABILITIES};
pub use policy::{Outline, PolicyScope, policy, policy_of_target, targets};
