//! The Docker platform on a real engine: the one of DOCKER_HOST, or one that the tests start.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod conformance;
mod fixture;
mod machines;
mod sources;
