//! Credentials of a bake.
//!
//! Base credentials come from the SDK's default chain (environment, profile, web identity file, container, IMDS), or
//! from a workflow's OIDC token if there is one and a role is named. A role is assumed with them, and each further role
//! with the one before. All credentials are renewed before they expire, for as long as the bake lasts.

mod arn;
mod assume;
mod diagnosis;
mod missing;
mod renewal;
mod resolve;
mod settings;
mod sources;
mod trust;
mod web;

pub use arn::RoleArn;
pub(crate) use arn::{Partition, account_of, ec2_service};
pub(crate) use resolve::{cache, chained, resolve};
pub use settings::{Identity, Warn, session_name};
pub use trust::{both_forms, subject_forms, trust_policy};
