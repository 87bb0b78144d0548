//! `check`: reports every problem at once, at its line, offline.

use insta::assert_snapshot;

use crate::fixture::Fixture;

const SMALL: &str = "format: 1
name: shop
platform: local
images:
  web:
    source: {local: host}
    build:
      - run: echo hello
";

#[test]
fn a_good_manifest_says_so() {
    assert_snapshot!(Fixture::with(SMALL).run(&["check"]).snapshot(), @r"
    exit code 0
    --- stderr
    bake.yml: valid (1 image on local)
    ");
}

/// Every example is a valid manifest, with each of its environments.
#[cfg(all(feature = "aws", feature = "local"))]
#[test]
fn every_example_passes() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut names: Vec<String> = std::fs::read_dir(&examples)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| examples.join(name).join("bake.yml").is_file())
        .collect();
    names.sort();
    for wanted in ["ansible", "chain", "hello", "nginx-aws", "tests-only"] {
        assert!(names.iter().any(|name| name == wanted), "{wanted} is missing: {names:?}");
    }
    for name in names {
        let path = examples.join(&name).join("bake.yml");
        let outcome = Fixture::new().run(&["check", path.to_str().unwrap()]).exits(0);
        assert!(
            !outcome.stderr.contains("warning") && outcome.stderr.contains("valid ("),
            "{name}: {}",
            outcome.stderr
        );
    }
}

/// Several mistakes are shown at once, each with its line and a correction.
#[test]
fn all_problems_are_shown_in_one_go() {
    let manifest = SMALL.replace("    build:", "    biuld:").replace("name: shop", "name: shop\nversion: one");
    assert_snapshot!(Fixture::with(&manifest).run(&["check"]).snapshot(), @r"
    exit code 3
    --- stderr
    error[wrong-value]: `one` is not a valid version
     --> bake.yml:3:10
      |
    3 | version: one
      |          ^^^
      |
      = help: Use a value such as `auto`, `release` or `1.4.0`.

    error[unknown-key]: unknown key `biuld`
     --> bake.yml:8:5
      |
    8 |     biuld:
      |     ^^^^^
      |
      = help: Did you mean `build`?

    bake.yml: 2 errors
    ");
}

/// `bake` on an invalid manifest shows the same findings and starts nothing: there is no report and no ledger.
#[test]
fn bake_refuses_what_check_refuses() {
    let fixture = Fixture::with(&SMALL.replace("    build:", "    biuld:"));
    let outcome = fixture.run(&["bake"]).exits(3);
    assert!(outcome.stderr.contains("biuld"), "{}", outcome.stderr);
    assert!(!fixture.path("bake-report.json").exists() && !fixture.path("state").exists());
}

#[test]
fn findings_come_as_json_too() {
    let fixture = Fixture::with(&SMALL.replace("    build:", "    biuld:"));
    let outcome = fixture.run(&["check", "--json"]).exits(3);
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((&report["format"], &report["valid"]), (&1.into(), &false.into()));
    let finding = &report["findings"][0];
    assert_eq!((&finding["severity"], &finding["line"]), (&"error".into(), &7.into()), "{report:#}");
    assert!(outcome.stderr.is_empty(), "{}", outcome.stderr);
}

/// In a workflow the findings are annotations of the manifest's lines.
#[test]
fn in_a_workflow_findings_are_annotations() {
    let manifest = SMALL.replace("    build:", "    \"##[error]x\":");
    let outcome = Fixture::with(&manifest).variable("GITHUB_ACTIONS", "true").run(&["check"]).exits(3);
    let annotated = outcome.stderr.lines().any(|line| line.starts_with("::error file=bake.yml,line=7"));
    assert!(annotated && outcome.stdout.is_empty(), "{outcome:?}");
    assert!(!outcome.stderr.contains("##["), "the manifest's text is a command: {}", outcome.stderr);
}

/// A declared secret that is not set is refused before anything is started.
#[test]
fn a_secret_that_is_not_set_is_named() {
    let fixture = Fixture::with(&SMALL.replace("images:", "secrets: [DEPLOY_TOKEN]\nimages:"));
    fixture.run(&["check"]).exits(0);
    let outcome = fixture.run(&["bake"]).exits(4);
    assert!(outcome.stderr.contains("DEPLOY_TOKEN is listed under `secrets` but not set"), "{}", outcome.stderr);
}

/// An empty value is valid, and `|| ''` allows a missing one.
#[test]
fn a_secret_may_be_empty_and_an_optional_one_unset() {
    let steps = "    build:\n      - run: test \"[$A][$B]\" = \"[][]\"\n        env: {A: \"${{ secrets.EMPTY }}\", B: \"${{ secrets.OPTIONAL || '' }}\"}\n";
    let manifest = SMALL.replace("images:", "secrets: [EMPTY, OPTIONAL]\nimages:");
    let manifest = format!("{}{steps}", manifest.split("    build:").next().unwrap());
    let fixture = Fixture::with(&manifest);
    let outcome = fixture.run(&["bake"]).exits(4);
    assert!(outcome.stderr.contains("EMPTY is listed") && !outcome.stderr.contains("OPTIONAL"), "{}", outcome.stderr);
    let fixture = fixture.variable("EMPTY", "");
    let outcome = fixture.run(&["bake"]).exits(0);
    assert!(!(outcome.stdout.clone() + &outcome.stderr).contains("not masked"), "{}", outcome.stdout);
    // A secret that is too short to be masked is reported.
    let outcome = fixture.variable("OPTIONAL", "1").run(&["bake"]).exits(0);
    assert!(
        (outcome.stdout.clone() + &outcome.stderr).contains("the secret `OPTIONAL` is not masked"),
        "{}",
        outcome.stdout
    );
}

/// `bench/` measures the time that it takes.
#[test]
fn two_hundred_images_are_validated_at_once() {
    let mut manifest = SMALL.replace("  web:\n    source: {local: host}\n    build:\n      - run: echo hello\n", "");
    for number in 0..200 {
        manifest.push_str(&format!(
            "  image-{number}:\n    source: {{local: host}}\n    build:\n      - run: echo ${{{{ image }}}}\n"
        ));
    }
    let fixture = Fixture::with(&manifest);
    let outcome = fixture.run(&["check"]).exits(0);
    assert!(outcome.stderr.contains("200 images"), "{}", outcome.stderr);
}

/// An image that is only baked on one platform may use that platform's keys.
#[cfg(feature = "docker")]
#[test]
fn an_image_for_another_platform_may_have_what_only_that_one_knows() {
    let image = |platforms: &str| {
        format!(
            "  web:\n{platforms}    source: {{ami: {{id: ami-0123456789abcdef0}}}}\n    machine: {{type: t3.small}}\n"
        )
    };
    let text = |platform: &str, platforms: &str| {
        let parity = "  box:\n    source: {docker: debian}\n    platforms: [docker]\n";
        format!(
            "format: 1\nname: shop\nplatform: {platform}\naws: {{region: us-east-1}}\nimages:\n{}{parity}",
            image(platforms)
        )
    };
    for platform in ["docker", "aws"] {
        let fixture = Fixture::with(&text(platform, "    platforms: [aws]\n"));
        let checked = fixture.run(&["check", "--platform", "docker"]).exits(0);
        assert!(!checked.stderr.contains("machine.type"), "{}", checked.stderr);
    }
    Fixture::with(&text("docker", "")).run(&["check"]).exits(3).says("`machine.type` is not supported on `docker`");
}
