//! Checks that action.yml, the command line and docs/action.md agree.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ami_bake_github::runner::Environment;
use serde_json::Value;

use super::inputs::{self, INPUTS, Translation};
use super::outputs::OUTPUTS;

fn file(name: &str) -> String {
    std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn action() -> Value {
    serde_yaml::from_str(&file("action.yml")).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn action_yml_names_the_inputs_and_outputs_of_the_program() {
    let action = action();
    assert_eq!(keys(&action["inputs"]), INPUTS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    assert_eq!(keys(&action["outputs"]), OUTPUTS);
    for (name, input) in action["inputs"].as_object().unwrap() {
        let default = input["default"].as_str().unwrap_or_default();
        // A switch is false by default, and action.yml says so.
        let switch =
            INPUTS.iter().any(|(input, translation)| input == name && matches!(translation, Translation::Switch(_)));
        assert_eq!(
            switch,
            default == "false" && !["create-release", "release-notes"].contains(&name.as_str()),
            "{name}"
        );
    }
    assert_eq!(action["runs"]["post-entrypoint"], "/usr/local/bin/ami-bake-post");
    assert!(file("Dockerfile").contains("/usr/local/bin/ami-bake-post"));
}

#[test]
fn action_yml_offers_the_commands_that_the_action_runs() {
    let description = action()["inputs"]["command"]["description"].as_str().unwrap().to_owned();
    let (last, names) = inputs::COMMANDS.split_last().unwrap();
    assert_eq!(description, format!("Command to run: {} or {last}.", names.join(", ")));
    let surface = crate::cli::command();
    for name in inputs::COMMANDS {
        assert!(surface.find_subcommand(name).is_some(), "{name}");
    }
}

#[test]
fn advice_names_inputs_and_leaves_command_lines_alone() {
    for (text, expected) in [
        ("Use --image with one of base, web.", "Use the input `images` with one of base, web."),
        ("Select fewer with `--image`, or bake.", "Select fewer with `images`, or bake."),
        ("Run `ami-bake bake --image web`.", "Run `ami-bake bake --image web`."),
        (
            "Remove --platform: it is taken from the report.",
            "Remove the input `platform`: it is taken from the report.",
        ),
        ("a -- b, --unknown", "a -- b, --unknown"),
    ] {
        assert_eq!(inputs::inputs_for_flags(text), expected);
    }
}

#[test]
fn every_input_is_a_flag_of_the_command_line() {
    let surface = crate::cli::command();
    let commands: Vec<_> = surface.get_subcommands().collect();
    let flags: BTreeSet<&str> = commands
        .iter()
        .flat_map(|command| command.get_arguments())
        .filter_map(|argument| argument.get_long())
        .collect();
    for (name, translation) in INPUTS {
        if let Some(flag) = translation.flag() {
            assert!(flags.contains(flag), "the input {name} is the flag --{flag}, which no command has");
        }
    }
    let bake = commands.iter().find(|command| command.get_name() == "bake").unwrap();
    // A workflow can do everything that a person can, except for these flags, which belong to the machine or to the
    // action.
    let elsewhere = ["json", "store", "help"];
    for flag in bake.get_arguments().filter_map(|argument| argument.get_long()).filter(|flag| !elsewhere.contains(flag))
    {
        let named = INPUTS.iter().any(|(_, translation)| translation.flag() == Some(flag));
        assert!(named, "bake has --{flag}, and action.yml no input for it");
    }
}

#[test]
fn the_generated_docs_of_the_action_are_up_to_date() {
    let action = action();
    let mut inputs = String::from("| Input | | Default |\n|---|---|---|\n");
    for (name, input) in action["inputs"].as_object().unwrap() {
        let default = input["default"].as_str().map(|default| format!("`{default}`")).unwrap_or_default();
        writeln!(inputs, "| `{name}` | {} | {default} |", input["description"].as_str().unwrap()).unwrap();
    }
    let mut outputs = String::from("| Output | |\n|---|---|\n");
    for (name, output) in action["outputs"].as_object().unwrap() {
        writeln!(outputs, "| `{name}` | {} |", output["description"].as_str().unwrap()).unwrap();
    }
    let mut text = file("docs/action.md");
    for (name, table) in [("inputs", inputs), ("outputs", outputs)] {
        let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
        let (before, rest) = text.split_once(&begin).unwrap();
        let (_, after) = rest.split_once(&end).unwrap();
        text = format!("{before}{begin}{table}{end}{after}");
    }
    crate::generated_docs::holds("docs/action.md", &text);
}

#[test]
fn inputs_are_translated_to_arguments_that_no_value_can_leave() {
    let surface = crate::cli::command();
    let environment = Environment::of([
        ("INPUT_COMMAND", "bake"),
        ("INPUT_MANIFEST", "--help.yml"),
        ("INPUT_IMAGES", "base web"),
        ("INPUT_SET", "a=1 2\nb=--force"),
        ("INPUT_FORCE", "true"),
        ("INPUT_DRY-RUN", "false"),
        ("INPUT_BUMP", "--json"),
        ("INPUT_KEEP-ON-FAILURE", "true"),
        ("INPUT_REPORT", "x.json"),
        ("RUNNER_TEMP", "/"),
    ]);
    let line = inputs::line(&surface, "bake", &environment, &[]).unwrap();
    let words = ["bake", "--image=base", "--image=web", "--set=a=1 2", "--set=b=--force", "--bump=--json", "--force"];
    assert_eq!(line.words, words.into_iter().chain(["--keep-on-failure=/", "./--help.yml"]).collect::<Vec<_>>());
    assert_eq!(line.ignored, ["report"]);
    let promote = Environment::of([
        ("INPUT_COMMAND", "promote"),
        ("INPUT_VERSION", "1.4.0"),
        ("INPUT_ENVIRONMENT", "production"),
        ("INPUT_MANIFEST", "bake.yml"),
    ]);
    let words = ["promote", "--environment=production", "1.4.0", "bake.yml"];
    assert_eq!(inputs::line(&surface, "promote", &promote, &[]).unwrap().words, words);
    assert_eq!(inputs::command(&surface, &promote).unwrap(), "promote");
    assert!(
        inputs::command(&surface, &Environment::of([("INPUT_COMMAND", "init")]))
            .unwrap_err()
            .help_text()
            .unwrap()
            .contains("bake")
    );
}
