//! The platform on the test cloud: machines, captures, images, and everything that EC2 does to a bake.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on ends")]

mod address;
mod capture;
mod conformance;
mod faults;
mod fixture;
mod life;
mod publish;
mod refusals;
mod services;
mod sources;
