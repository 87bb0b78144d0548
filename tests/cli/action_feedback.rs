//! Feedback for reviewers: summary and comment of every command, and for every way in which a step can end.

use ami_bake_testkit::action::Job;
use ami_bake_testkit::github::{GitHub, TOKEN, VIEWER};
use ami_bake_testkit::test_dir::signal;
use ami_bake_testkit::wait;
use serde_json::{Value, json};

use crate::action::{PROGRAM, on, with_store};
use crate::fixture::Fixture;

const WEB: &str = "format: 1
name: shop
platform: local
images:
  web:
    source: {local: host}
    build: [{run: 'echo hello > /srv/index'}]
    test: [{expect: {file: /srv/index}}]
";

fn pull_request() -> Value {
    json!({
        "repository": {"full_name": "shop/images", "default_branch": "main"},
        "pull_request": {
            "number": 7, "head": {"sha": "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d", "repo": {"full_name": "shop/images"}},
        },
    })
}

fn on_pull_request(github: &GitHub, manifest: &str) -> Job {
    on(github, with_store(manifest).event("pull_request", "refs/pull/7/merge", &pull_request()))
}

/// Each command that action.yml offers, as far as possible without a cloud.
#[test]
fn each_command_runs_through_the_action() {
    let job = with_store(WEB);
    let run = |command: &str, inputs: &[(&str, &str)]| job.main(PROGRAM, &[&[("command", command)], inputs].concat());
    assert!(run("check", &[]).exits(0).summary.contains("is valid"));
    assert!(run("plan", &[]).exits(0).summary.contains("Plan: 1 to bake"));
    assert!(run("bake", &[("dry-run", "true")]).exits(0).summary.contains("Plan: 1 to bake"));
    let baked = run("bake", &[("version", "1.4.2")]).exits(0);
    let output = |name: &str| baked.output(name).to_owned();
    assert_eq!((output("major"), output("minor"), output("patch")), ("1".into(), "1.4".into(), "1.4.2".into()));
    let metadata: Value = serde_json::from_str(baked.output("metadata")).unwrap();
    assert_eq!((&metadata["web"]["version"], &metadata["web"]["tested"]), (&json!("1.4.2"), &json!(true)));
    assert_eq!(metadata["web"]["id"], baked.output("ami-id"));
    assert_eq!(run("matrix", &[]).exits(0).output("changed"), "false");
    assert!(run("test", &[]).exits(2).annotations("error")[0].contains("needs the input `image-id`"));
    assert!(run("test", &[("image-id", baked.output("ami-id"))]).exits(0).summary.contains("tested"));
    assert!(run("images", &[]).exits(0).step.text().contains("1.4.2"));
    assert!(run("report", &[("report", "bake-report.json")]).exits(0).summary.contains("1.4.2"));
    let sweep = run("sweep", &[]).exits(0);
    assert!(sweep.annotations("notice")[0].contains("nothing is deleted unless the input `yes`"));
    assert!(run("sweep", &[("yes", "true")]).exits(0).annotations("notice").is_empty());
    assert!(run("promote", &[("environment", "x")]).exits(2).annotations("error")[0].contains("input `version`"));
    // These need a registry or a cloud, where tests/aws runs them: their inputs are understood.
    for (command, inputs) in [
        ("publish", &[("version", "1.4.2")][..]),
        ("deploy", &[("version", "1.4.2")]),
        ("promote", &[("version", "1.4.2"), ("environment", "production")]),
        ("policy", &[]),
    ] {
        let ended = run(command, inputs);
        assert!(ended.annotations("error").iter().all(|error| !error.contains("argument")), "{command}: {ended:?}");
    }
    for command in ["component", "init", "import", "schema", "completions", "help"] {
        assert!(run(command, &[]).exits(2).annotations("error")[0].contains("for input `command`"), "{command}");
    }
    for (input, value) in [("comment", "sometimes"), ("on-fork", "ignore"), ("yes", "1")] {
        let wrong = run("bake", &[(input, value)]).exits(2);
        assert!(wrong.annotations("error")[0].contains(&format!("for input `{input}`")), "{input}");
    }
}

#[test]
fn the_comment_is_never_that_of_an_earlier_run() {
    let github = GitHub::new();
    let job = on_pull_request(&github, WEB);
    let token = ("token", TOKEN);
    let comment = || {
        let comments = github.comments();
        assert_eq!(comments.len(), 1, "{comments:#?}");
        comments[0].1.clone()
    };
    job.main(PROGRAM, &[token]).exits(0);
    assert!(comment().contains("1 image baked"), "{}", comment());
    job.main(PROGRAM, &[token, ("command", "plan")]).exits(0);
    assert!(comment().contains("Plan: 0 to bake") || comment().contains("No changes"), "{}", comment());
    assert!(comment().contains("commit <code>1a2b3c4</code>"), "{}", comment());
    job.main(PROGRAM, &[token, ("command", "check")]).exits(0);
    assert!(comment().contains("is valid"), "{}", comment());
    // An invalid manifest, and invalid inputs.
    job.write("bake.yml", &WEB.replace("source:", "sauce:"));
    let broken = job.main(PROGRAM, &[token]).exits(3);
    assert!(comment().contains("bake failed") && comment().contains("sauce"), "{}", comment());
    assert!(broken.summary.contains("sauce"), "{}", broken.summary);
    job.write("bake.yml", WEB);
    job.main(PROGRAM, &[token, ("set", "unknown=1")]).exits(3);
    assert!(comment().contains("unknown"), "{}", comment());
    job.main(PROGRAM, &[token, ("bump", "huge")]).exits(2);
    assert!(comment().contains("huge"), "{}", comment());

    // While a bake runs, and after it was cancelled or killed. What is left is said only where it could be looked up.
    job.write("bake.yml", &WEB.replace("echo hello > /srv/index", "sleep 3600"));
    let (clean, unknown) = ("Nothing is left to clean up.", "Temporary resources may be left");
    for (sent, says, left) in
        [("INT", "cancelled", clean), ("KILL", "did not end", clean), ("KILL", "did not end", unknown)]
    {
        let running = job.start(PROGRAM, &[token]);
        wait::until_true("no comment says that it runs", || comment().contains("shop: running"));
        wait::until_true("the run has not begun", || running.state().contains_key("platform-args"));
        signal(&running.child, sent);
        let mut main = running.end();
        if left == unknown {
            main.state.insert("ledger".to_owned(), "/nowhere/ledger".to_owned());
        }
        let post = job.post(PROGRAM, &[token], &main).exits(0);
        for text in [comment(), post.summary] {
            assert!(text.contains(says) && text.contains(left), "{text}");
        }
    }
}

#[test]
fn a_new_comment_replaces_or_hides_the_old_one() {
    let github = GitHub::new();
    let job = on_pull_request(&github, WEB);
    let check = |mode: &str| {
        job.main(PROGRAM, &[("token", TOKEN), ("command", "check"), ("comment", mode)]).exits(0);
        github.comments()
    };
    check("always");
    github.add_comment(7, VIEWER, "Between.");
    let recreated = check("recreate");
    assert_eq!((recreated.len(), recreated[0].1.as_str()), (2, "Between."));
    let hidden = check("hide-old");
    assert_eq!((hidden.len(), github.minimized()), (3, 1));
    assert!(hidden[1].1.contains("<!-- ami-bake: outdated -->") && !hidden[2].1.contains("outdated"), "{hidden:#?}");
    // A hidden comment is never updated.
    assert_eq!(check("always")[1], hidden[1]);
}

/// `run: ami-bake bake` writes the same files as the action; its standard output stays data.
#[test]
fn a_plain_step_writes_what_the_action_writes() {
    let github = GitHub::new();
    let fixture = Fixture::with(WEB);
    let files: Vec<(&str, String)> = [("GITHUB_OUTPUT", "output"), ("GITHUB_STEP_SUMMARY", "summary.md")]
        .map(|(name, file)| (name, fixture.path(file).display().to_string()))
        .to_vec();
    fixture.write("event.json", &pull_request().to_string());
    let event = fixture.path("event.json").display().to_string();
    let mut fixture = fixture
        .variable("GITHUB_ACTIONS", "true")
        .variable("GITHUB_EVENT_NAME", "pull_request")
        .variable("GITHUB_REF", "refs/pull/7/merge")
        .variable("GITHUB_EVENT_PATH", &event)
        .variable("GITHUB_RUN_ID", "42");
    for (name, value) in github.variables() {
        fixture = fixture.variable(&name, &value);
    }
    for (name, value) in &files {
        fixture = fixture.variable(name, value);
    }
    fixture.write("summary.md", "Of another command.\n");
    let bake = fixture.run(&["bake"]).exits(0);
    assert_eq!(bake.stdout, "");
    let outputs = fixture.read("output");
    for name in ["ami-id", "version", "tested", "metadata", "report"] {
        assert!(outputs.contains(&format!("{name}<<")), "{name}: {outputs}");
    }
    let summary = fixture.read("summary.md");
    assert!(summary.starts_with("Of another command.\n") && summary.contains("1 image baked"), "{summary}");
    assert!(github.comments()[0].1.contains("0.1.0-pr.7.1a2b3c4"));
    // Data goes to standard output, and annotations to the other stream.
    let matrix = fixture.run(&["matrix", "--force"]).exits(0);
    let matrix: Value = serde_json::from_str(&matrix.stdout).unwrap();
    assert_eq!(matrix["changed"], true);
    fixture.write("bake.yml", &WEB.replace("source:", "sauce:"));
    let broken = fixture.run(&["check"]).exits(3);
    assert!(broken.stderr.contains("::error file=bake.yml"), "{}", broken.stderr);
    // Turned off, only the log of a terminal is written.
    fixture.write("bake.yml", WEB);
    for off in [&["plan", "--github=off"][..], &["plan", "--github", "off"], &["--github", "off", "plan"]] {
        fixture.write("summary.md", "");
        fixture.run(off).exits(0);
        assert_eq!(fixture.read("summary.md"), "", "{off:?}");
    }
    // A command has its feedback under its other name and behind options, too.
    for on in [&["validate"][..], &["build", "--dry-run"], &["--github", "auto", "plan"]] {
        fixture.write("summary.md", "");
        fixture.run(on).exits(0);
        assert!(fixture.read("summary.md").starts_with("## "), "{on:?}");
    }
}

/// A workflow has a job for each level that it expects.
#[test]
fn more_levels_than_jobs_are_an_error() {
    let chain = "format: 1\nname: shop\nplatform: local\nimages:\n  base:\n    source: {local: host}\n    build: [{run: 'true'}]\n  web:\n    source: {image: base}\n    build: [{run: 'true'}]\n  edge:\n    source: {image: web}\n    build: [{run: 'true'}]\n";
    let job = with_store(chain);
    job.main(PROGRAM, &[("command", "matrix"), ("levels", "3")]).exits(0);
    let refused = job.main(PROGRAM, &[("command", "matrix"), ("levels", "2")]).exits(4);
    let error = &refused.annotations("error")[0];
    assert!(error.contains("the images form 3 levels, and the workflow has jobs for 2 levels"), "{error}");
    assert_eq!(refused.output("matrix"), "");
}

/// Lists and values of several lines need no JSON.
#[test]
fn variables_take_lists_and_values_of_several_lines() {
    let manifest = "format: 1
name: shop
platform: local
vars:
  packages: [a]
  ports: [1]
  motd: none
images:
  web:
    source: {local: host}
    build:
      - run: echo ${{ join(vars.packages, '+') }} ${{ join(vars.ports, '+') }}
      - run: printf '%s' \"$MOTD\"
        env: {MOTD: '${{ vars.motd }}'}
";
    let job = with_store(manifest);
    for set in [
        "packages=nginx, curl\nports=80,443\nmotd<<END\nHello\n  there=1\nEND",
        "packages=[\"nginx\", \"curl\"]\nports=[80, 443]\nmotd<<X\nHello\n  there=1\nX",
    ] {
        let main = job.main(PROGRAM, &[("set", set), ("force", "true")]).exits(0);
        let text = main.step.text();
        assert!(text.contains("nginx+curl 80+443") && text.contains("  there=1"), "{text}");
    }
    let wrong = job.main(PROGRAM, &[("set", "ports=80,http")]).exits(3);
    assert!(wrong.annotations("error")[0].contains("must be a list"), "{:?}", wrong.annotations("error"));
}
