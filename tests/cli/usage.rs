//! Usage errors, help, and commands that need no manifest.

use insta::assert_snapshot;

use crate::fixture::Fixture;

/// An error about a mistyped flag suggests the right one.
#[test]
fn a_mistyped_flag_gets_a_suggestion() {
    let outcome = Fixture::new().run(&["bake", "--enviroment", "production"]);
    assert_snapshot!(outcome.snapshot(), @r"
    exit code 2
    --- stderr
    error: unexpected argument '--enviroment' found

      tip: a similar argument exists: '--environment'

    Usage: ami-bake bake --environment <NAME> [MANIFEST]

    For more information, try '--help'.
    ");
}

/// An error about a mistyped command suggests the right one.
#[test]
fn a_mistyped_command_gets_a_suggestion() {
    assert_snapshot!(Fixture::new().run(&["chekc"]).snapshot(), @r"
    exit code 2
    --- stderr
    error: unrecognized subcommand 'chekc'

      tip: some similar subcommands exist: 'schema', 'check'

    Usage: ami-bake [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
}

/// Without arguments the help is shown.
#[test]
fn no_arguments_list_the_commands() {
    let outcome = Fixture::new().run(&[]).exits(2);
    assert!(outcome.stderr.contains("Commands:") && outcome.stderr.contains("ami-bake init"), "{}", outcome.stderr);
}

/// Help is data: it goes to standard output, with exit code 0 and an example for every command.
#[test]
fn every_command_has_help_with_an_example() {
    for verb in ["init", "check", "plan", "bake", "test", "images", "sweep", "schema", "completions"] {
        let outcome = Fixture::new().run(&["help", verb]).exits(0);
        assert!(outcome.stderr.is_empty(), "{verb}: {}", outcome.stderr);
        assert!(outcome.stdout.contains("Example"), "{verb} has no example:\n{}", outcome.stdout);
    }
}

#[test]
fn a_value_that_cannot_be_one_is_refused() {
    let version = Fixture::new().run(&["bake", "--image-version", "one"]).exits(2);
    assert!(version.stderr.contains("expected a semantic version such as 1.2.3"), "{}", version.stderr);
    let set = Fixture::new().run(&["bake", "--set", "nginx"]).exits(2);
    assert!(set.stderr.contains("expected NAME=VALUE"), "{}", set.stderr);
    let bump = Fixture::new().run(&["bake", "--bump", "patsh"]).exits(2);
    assert!(bump.stderr.contains("a similar value exists: 'patch'"), "{}", bump.stderr);
}

#[test]
fn a_missing_manifest_says_where_it_was_looked_for() {
    assert_snapshot!(Fixture::new().run(&["check"]).snapshot(), @r"
    exit code 2
    --- stderr
    error: no manifest found: neither bake.yml nor .github/bake.yml exists here
    help: Specify a manifest, change to its folder, or create one with `ami-bake init`.
    ");
}

#[test]
fn a_named_manifest_that_is_not_there_is_named() {
    assert_snapshot!(Fixture::new().run(&["check", "other.yml"]).snapshot(), @r"
    exit code 2
    --- stderr
    error: manifest other.yml not found
    help: Choose another file, or create a manifest with `ami-bake init`.
    ");
}

/// A flag with an optional value does not take the manifest as its value.
#[test]
fn a_flag_does_not_swallow_the_manifest() {
    let outcome = Fixture::new().run(&["bake", "--keep-on-failure", "other.yml"]).exits(2);
    assert!(outcome.stderr.contains("manifest other.yml not found"), "{}", outcome.stderr);
}

#[test]
fn a_folder_is_not_a_manifest() {
    assert_snapshot!(Fixture::new().run(&["check", "."]).snapshot(), @r"
    exit code 2
    --- stderr
    error: . is a folder, not a manifest
    help: Choose a file in it, such as ./bake.yml.
    ");
}

#[test]
fn an_unknown_platform_is_refused_with_those_of_this_build() {
    let outcome = Fixture::with("format: 1\n").run(&["check", "--platform", "azure"]).exits(2);
    assert!(outcome.stderr.contains("platform `azure` is not supported by this build"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("local"), "{}", outcome.stderr);
}

#[test]
fn completions_are_for_the_shell_that_was_named() {
    let outcome = Fixture::new().run(&["completions", "bash"]).exits(0);
    assert!(outcome.stdout.contains("_ami__bake()") && outcome.stdout.contains("--until"), "{}", outcome.stdout);
}

/// The hidden command of the sandbox is not in the help.
#[test]
fn the_sandbox_is_not_in_the_help() {
    let outcome = Fixture::new().run(&["--help"]).exits(0);
    assert!(!outcome.stdout.contains("__sandbox"), "{}", outcome.stdout);
}

/// Advice for what people try first.
#[test]
fn advice_fits_what_was_meant() {
    let fixture = Fixture::new();
    fixture.run(&["init"]).exits(0);
    let help = |arguments: &[&str]| {
        let stderr = fixture.run(arguments).exits(2).stderr;
        stderr
            .lines()
            .filter(|line| line.starts_with("help: ") || line.contains("tip: "))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(help(&["bake", "web"]), "help: To choose an image of the manifest, use `--image web`.");
    assert_eq!(help(&["check", "web.yml"]), "help: Choose another file, or create a manifest with `ami-bake init`.");
    assert_eq!(help(&["check", "-"]), "help: Write it to a file. Only `ami-bake import` reads `-`.");
    assert_eq!(help(&["check", "--loud"]), "");
    assert!(help(&["check", "--sett"]).contains("a similar argument exists"));
}
