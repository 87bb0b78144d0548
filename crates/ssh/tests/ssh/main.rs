//! The SSH communicator against a real OpenSSH server, and against servers that misbehave.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod connecting;
mod exec;
mod fault;
mod files;
mod losing;
mod sshd;
mod users;
