//! `ami-bake`: the command line. It wires the rooms together and does nothing of its own.

#[cfg(feature = "github")]
mod action;
mod cli;
mod commands;
mod error;
mod facts;
mod report;
mod session;
mod signals;
mod table;
mod ui;
mod wire;

#[cfg(test)]
mod drift;

use std::process::ExitCode;

fn main() -> ExitCode {
    // The sandbox of the local platform re-executes this program as its own first process, which must have one thread.
    if let Some(code) = wire::reexec() {
        return code;
    }
    cli::main()
}
