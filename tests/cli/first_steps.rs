//! The first commands of a new user.

use crate::fixture::Fixture;

/// The manifest that `init` writes passes `check` unchanged.
#[test]
fn init_writes_a_manifest_that_passes_check() {
    let fixture = Fixture::new();
    let outcome = fixture.run(&["init"]).exits(0);
    assert!(outcome.stderr.contains("ami-bake check bake.yml"), "{}", outcome.stderr);
    assert!(fixture.read("bake.yml").lines().filter(|line| line.trim_start().starts_with('#')).count() > 5);
    // Its platform is AWS, or a local one in builds without AWS.
    let platform: &[&str] = if cfg!(feature = "aws") { &[] } else { &["--platform", "local"] };
    fixture.run(&[&["check"], platform].concat()).exits(0);
}

/// `init` never overwrites a file.
#[test]
fn init_leaves_a_file_alone() {
    let fixture = Fixture::with("mine: true\n");
    let outcome = fixture.run(&["init"]).exits(2);
    assert!(outcome.stderr.contains("bake.yml already exists"), "{}", outcome.stderr);
    assert_eq!(fixture.read("bake.yml"), "mine: true\n");
}

/// `init` creates the folder of the other default path.
#[test]
fn init_makes_the_folder() {
    let fixture = Fixture::new();
    fixture.run(&["init", ".github/bake.yml"]).exits(0);
    assert!(fixture.path(".github/bake.yml").is_file());
}

/// The schema is valid JSON Schema, and describes the manifest of `init`.
#[test]
fn the_schema_is_a_json_schema() {
    let outcome = Fixture::new().run(&["schema"]).exits(0);
    let schema: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert!(schema["$schema"].as_str().is_some_and(|dialect| dialect.contains("json-schema.org")), "{schema:#}");
    assert!(schema["properties"]["images"].is_object(), "{schema:#}");
}
