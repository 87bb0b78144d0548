//! Tests of every construct with small hand-written inputs.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests end where they fail")]

mod access;
mod bombs;
mod builders;
mod comments;
mod docker;
mod fixture;
mod follows;
mod functions;
mod fuzz;
mod hcl;
mod hcl_json;
mod hcl_refused;
mod hcl_values;
mod imagebuilder;
mod mutations;
mod promises;
mod provisioners;
mod refused;
mod scripts;
mod silence;
mod unset;
mod variables;
