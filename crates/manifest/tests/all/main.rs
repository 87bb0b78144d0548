//! The manifest as its users see it: findings about invalid ones, and plans of valid ones.
#![allow(clippy::needless_raw_string_hashes)] // every text of the tables is written alike
#![allow(clippy::unwrap_used, clippy::panic)]

mod access;
mod add_a_step;
mod bad_expressions;
mod bad_family;
mod bad_structure;
mod bad_values;
mod bad_yaml;
mod bombs;
mod digest_golden;
mod docker;
mod ec2;
mod fixture;
mod formatting;
mod needs;
mod parts;
mod plan;
mod platform;
mod render;
mod steps;
