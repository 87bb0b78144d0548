//! Holds the generated files of the repository against the program: `UPDATE_DOCS=1 cargo nextest run -p ami-bake drift`
//! writes them anew.

use std::fmt::Write as _;
use std::path::Path;

use crate::{cli, commands};

/// Compares a file with what it should hold, or writes it.
#[track_caller]
pub(crate) fn holds(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, text).unwrap();
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(there == text, "{path} is out of date: UPDATE_DOCS=1 cargo nextest run -p ami-bake drift");
}

#[test]
fn the_command_reference_is_that_of_the_program() {
    let mut text = String::from(
        "# Commands\n\nGenerated from the program's own help: `UPDATE_DOCS=1 cargo nextest run -p ami-bake drift`.\n",
    );
    // Width and styles must not depend on who generates.
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
    let mut verbs: Vec<clap::Command> =
        command.get_subcommands().filter(|verb| verb.get_name() != "help" && !verb.is_hide_set()).cloned().collect();
    for verb in &mut verbs {
        section(verb, text);
    }
}

#[test]
fn the_schema_is_that_of_the_program() {
    holds("schema/bake.schema.json", &commands::schema::text().unwrap());
}

#[test]
fn the_manifest_reference_is_that_of_the_schema() {
    holds("docs/manifest.md", &ami_bake_manifest::reference());
}
