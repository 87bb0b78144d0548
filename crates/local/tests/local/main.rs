//! Tests of the local platform with real sandboxes. Run as root: the cases without root become another user by
//! themselves.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod conformance;
mod export;
mod fixture;
mod layers;
mod machines;
mod sandbox;
mod sources;
mod unprivileged;
