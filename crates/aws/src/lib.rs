//! Bakes on Amazon EC2: the only room that names an AWS crate.
//!
//! [`Aws`] is the platform. Calls go through one wrapper that keeps to EC2's published rates and turns every refusal
//! into words; everything that is created stands in the run's ledger before its request leaves.

mod capture;
mod client;
mod deploy;
mod error;
mod identity;
mod image;
mod image_builder;
mod limits;
mod lineage;
mod machine;
mod permissions;
mod platform;
mod policy;
mod publish;
mod request;
mod services;
mod source;
mod sweep;
mod usage;

pub use client::Settings;
pub use identity::{Identity, RoleArn, Warn, both_forms, session_name, subject_forms, trust_policy};
pub use platform::{Aws, CAPABILITIES};
pub use policy::{Outline, Where, policy, policy_of_target, targets};
