//! Tests of the platform `vm` with real QEMU. Most guests are one boot sector, which needs no operating system and starts in
//! a second. The conformance suite boots Debian, which takes minutes where there is no KVM:
//!
//! ```console
//! $ cargo nextest run -p ami-bake-vm --run-ignored all
//! ```
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod conformance;
mod exports;
mod fixture;
mod machines;
mod sources;
