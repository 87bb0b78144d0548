//! The hidden command line as a program of its own: `ami-bake-vm-helper __vm …`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ami_bake_vm::dispatch(std::env::args_os()).unwrap_or(ExitCode::from(2))
}
