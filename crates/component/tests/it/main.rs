//! Component documents on a throw-away copy of this system, as AWSTOE would run them. Needs root.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod check;
mod cookbook;
mod files;
mod fixture;
mod flow;
mod forms;
mod nested;
mod operators;
mod store;
mod system;
mod unlucky;
mod web;
