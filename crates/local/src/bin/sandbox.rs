//! The sandbox's hidden entry point as a program of its own: `ami-bake-sandbox __sandbox …`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ami_bake_local::dispatch(std::env::args_os()).unwrap_or(ExitCode::from(2))
}
