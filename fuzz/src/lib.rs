//! Fuzz targets: every parser of untrusted input. Manifests, templates and documents come with a repository, the rest
//! from machines and earlier runs.
//!
//! A panic, a stack overflow, more than a second of processor time, or more than 256 MB for one input is a finding. Its
//! input becomes an entry of `fuzz/corpus`, which the tests replay.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "only tests are built on this")]

mod limits;
pub mod mutate;
mod targets;

pub use limits::check;
pub use targets::{Run, TARGETS};
