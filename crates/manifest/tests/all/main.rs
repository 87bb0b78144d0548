//! The manifest as its users meet it: what is said of bad ones, and what becomes of good ones.

mod bad_expressions;
mod bad_family;
mod bad_structure;
mod bad_yaml;
mod common;
mod plan;
mod platform;
