//! `ami-bake`: the command line. It connects the crates and does no work of its own.

mod args;
mod cli;
mod commands;
mod error;
mod facts;
mod features;
mod host;
mod out;
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
use std::sync::Arc;

use ami_bake_core::mask::Masker;
use features::PLATFORMS;
use out::Cleaner;
use program::Program;

fn main() -> ExitCode {
    // Ignores SIGXFSZ: a file that exceeds `ulimit -f` is an error of the write, as on a full disk, instead of the end
    // of the program. Programs that it starts are not affected: a handler ends with execve(2).
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    // First of all, since a sandbox process must have a single thread.
    if let Some(code) = features::run_helper() {
        return code;
    }
    let cleaner = Cleaner { masker: Arc::new(secrets()), rule: features::line_rule() };
    out::catch_panics(cleaner.clone());
    if let Some(code) = features::run_action(cli::command, cli::run_words, &cleaner.masker) {
        return code;
    }
    cli::run(&Program { host: features::host(cli::command, cleaner), platforms: PLATFORMS })
}

/// Environment variables whose values are never shown.
const ALWAYS_SECRET: [&str; 5] =
    ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"];

/// The masker with the secrets of every process.
fn secrets() -> Masker {
    let masker = Masker::default();
    for secret in ALWAYS_SECRET.iter().filter_map(|name| std::env::var(name).ok()) {
        masker.add(&secret);
    }
    masker
}
