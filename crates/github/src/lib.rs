//! GitHub: how the runner talks with a container action, the OIDC token, and what is reported to people.

pub mod event;
pub mod oidc;
pub mod runner;
