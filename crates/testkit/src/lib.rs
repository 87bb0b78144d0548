//! Test helpers shared by several crates: stand-ins for clouds, GitHub, Docker and machines. Never part of a release.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "only tests are built on this")]
#![allow(clippy::return_self_not_must_use, reason = "an assertion that is chained may also stand alone")]

pub mod action;
pub mod clock;
pub mod cloud;
pub mod conformance;
pub mod corpus;
pub mod docker;
pub mod fake;
pub mod github;
pub mod guest;
pub mod http;
pub mod oidc;
pub mod output;
pub mod recipe;
pub mod report;
pub mod runner;
pub mod runs;
pub mod shell;
pub mod test_dir;
pub mod wait;
