//! `ami-bake`: the command line. It connects the crates and does no work of its own.

mod args;
mod cli;
mod commands;
mod error;
mod facts;
mod features;
mod host;
mod platforms;
mod plural;
mod program;
mod report;
mod runtime;
mod session;
mod signals;
mod table;
mod ui;

#[cfg(test)]
mod generated_docs;

use std::process::ExitCode;

use features::PLATFORMS;
use program::Program;

fn main() -> ExitCode {
    // First of all: the process in a sandbox must have one thread.
    if let Some(code) = features::run_sandbox() {
        return code;
    }
    if let Some(code) = features::run_action(cli::command, cli::run_words) {
        return code;
    }
    cli::run(&Program { host: features::host(), platforms: PLATFORMS })
}
