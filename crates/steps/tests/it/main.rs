//! The step types against a real shell: harmless ones on this machine, the others in a throw-away copy of it (root only).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod busybox;
mod chef;
mod expect;
mod files;
mod fixture;
mod https;
mod machine;
mod run;
