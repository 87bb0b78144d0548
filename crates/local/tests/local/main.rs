//! The local platform on real sandboxes. Run as root: the cases without root become another user by themselves.

mod conformance;
mod layers;
mod machines;
mod sandbox;
mod sources;
mod support;
mod unprivileged;
