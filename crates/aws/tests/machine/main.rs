//! Machines on the test cloud: launched, reached, restarted, given back, with everything that EC2 does to a bake.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on ends")]

mod bed;
mod cloud;
mod faults;
mod life;
mod sources;
