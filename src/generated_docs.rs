//! Checks that the generated files of the repository are up to date. To write them again:
//! `UPDATE_DOCS=1 cargo nextest run -p ami-bake generated_docs`.

use std::fmt::Write as _;
use std::path::Path;

use crate::{cli, commands};

/// Compares a file with its expected content, or writes it.
#[track_caller]
pub(crate) fn holds(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, text).unwrap();
    }
    let actual = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(actual == text, "{path} is out of date: run UPDATE_DOCS=1 cargo nextest run -p ami-bake generated_docs");
}

#[test]
fn the_command_reference_is_up_to_date() {
    let mut text = String::from(
        "# Commands\n\nGenerated from the program's own help: `UPDATE_DOCS=1 cargo nextest run -p ami-bake generated_docs`.\n",
    );
    // Width and styles must not depend on the terminal.
    let mut command = cli::command().term_width(100);
    command.build();
    section(&mut command, &mut text);
    holds("docs/cli.md", &text);
}

fn section(command: &mut clap::Command, text: &mut String) {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    let help = command.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    write!(text, "\n## {name}\n\n```text\n{}\n```\n", help.join("\n").trim_end()).unwrap();
    let mut commands: Vec<clap::Command> = command
        .get_subcommands()
        .filter(|command| command.get_name() != "help" && !command.is_hide_set())
        .cloned()
        .collect();
    for command in &mut commands {
        section(command, text);
    }
}

#[test]
fn the_schema_is_up_to_date() {
    holds("schema/bake.schema.json", &commands::schema::text());
}

#[test]
fn the_manifest_reference_is_up_to_date() {
    holds("docs/manifest.md", &ami_bake_manifest::reference());
}
