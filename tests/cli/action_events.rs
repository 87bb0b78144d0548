//! Effects of events on the versions of an action's images, and on whose code it may bake.

use ami_bake_testkit::action::{Ended, Job};
use ami_bake_testkit::github::{GitHub, TOKEN};
use serde_json::{Value, json};

use crate::action::{PROGRAM, on, with_store};

const SHA: &str = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d";

const CHAIN: &str = "format: 1
name: shop
platform: local
images:
  base:
    source: {local: host}
    build: [{run: 'echo hello > /srv/greeting'}]
  web:
    source: {image: base}
    build: [{run: 'cp /srv/greeting /srv/index'}]
  edge:
    source: {image: web}
    build: [{run: 'cp /srv/index /srv/edge'}]
  pay:
    source: {local: host}
    build: [{run: 'echo pay > /srv/pay'}]
";

fn repository() -> Value {
    json!({"repository": {"full_name": "shop/images", "default_branch": "main"}})
}

/// The groups in the log: the steps that ran.
fn groups(main: &Ended) -> Vec<&str> {
    main.step.commands.iter().filter(|one| one.name == "group").map(|one| one.data.as_str()).collect()
}

/// Versions of the images in the report of the last run.
fn versions(job: &Job) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(job.path("workspace/bake-report.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    report["images"].as_array().unwrap().iter().map(|image| (text(&image["name"]), text(&image["version"]))).collect()
}

#[test]
fn a_release_registers_what_main_baked_with_all_that_is_built_on_it() {
    let job = with_store(CHAIN);
    job.main(PROGRAM, &[]).exits(0);
    let pair = |name: &str, version: &str| (name.to_owned(), version.to_owned());
    let all = |version: &str| ["base", "edge", "pay", "web"].map(|name| pair(name, version)).to_vec();
    let sorted = |job: &Job| {
        let mut versions = versions(job);
        versions.sort();
        versions
    };
    assert_eq!(sorted(&job), all("0.1.0"));

    // The plan of the release shows that nothing is built, and the order of registrations.
    let job = job.event("push", "refs/tags/v1.0.0", &repository());
    let plan = job.main(PROGRAM, &[("command", "matrix")]).exits(0);
    let matrix: Value = serde_json::from_str(plan.output("matrix")).unwrap();
    let level = |at: usize| -> Vec<&str> {
        let entries = matrix["levels"][at]["include"].as_array().unwrap().iter();
        entries.map(|entry| entry["image"].as_str().unwrap()).collect()
    };
    assert_eq!((level(0), level(1), level(2)), (vec!["base", "pay"], vec!["web"], vec!["edge"]), "{matrix:#}");
    let main = job.main(PROGRAM, &[]).exits(0);
    assert_eq!(sorted(&job), all("1.0.0"));
    assert_eq!(groups(&main), Vec::<&str>::new(), "a step ran");

    // After the release, main has nothing to do either.
    let job = job.event("push", "refs/heads/main", &repository());
    let again = job.main(PROGRAM, &[]).exits(0);
    assert_eq!((again.output("changed"), groups(&again)), ("false", Vec::new()));
    // A release that is marked as a pre-release is one, and the following final one needs no build.
    let release = |prerelease: bool| {
        let mut event = repository();
        event["release"] = json!({"tag_name": "v1.1.0", "prerelease": prerelease});
        event
    };
    let job = job.event("release", "refs/tags/v1.1.0", &release(true));
    let pre = job.main(PROGRAM, &[]).exits(0);
    assert_eq!((sorted(&job), groups(&pre)), (all("1.1.0-pre.4711"), Vec::new()));
    let job = job.event("release", "refs/tags/v1.1.0", &release(false));
    let last = job.main(PROGRAM, &[]).exits(0);
    assert_eq!((sorted(&job), groups(&last)), (all("1.1.0"), Vec::new()));
}

#[test]
fn a_tag_bakes_what_it_names_and_nothing_else() {
    let job = with_store(CHAIN).event("push", "refs/tags/pay-v2.0.0", &repository());
    job.main(PROGRAM, &[]).exits(0);
    assert_eq!(versions(&job), [("pay".to_owned(), "2.0.0".to_owned())]);
    // The base image gets a version as on a branch.
    let job = job.event("push", "refs/tags/web@2.0.0", &repository());
    job.main(PROGRAM, &[]).exits(0);
    let expected = [("base", "0.1.0-dev.4711"), ("web", "2.0.0")].map(|(name, at)| (name.to_owned(), at.to_owned()));
    assert_eq!(versions(&job), expected);

    for tag in ["docs-v9.9.9", "v1", "web-v1"] {
        let job = with_store(CHAIN).event("push", &format!("refs/tags/{tag}"), &repository());
        for command in ["bake", "plan", "matrix"] {
            let main = job.main(PROGRAM, &[("command", command)]).exits(0);
            assert!(main.annotations("notice")[0].contains(tag), "{:?}", main.annotations("notice"));
            assert_eq!((main.output("changed"), main.output("version")), ("false", ""), "{tag}: {command}");
            assert!(groups(&main).is_empty() && !job.path("workspace/bake-report.json").exists());
        }
    }
    // Of two jobs with one image each, the other one has nothing to do.
    let job = with_store(CHAIN).event("push", "refs/tags/pay-v2.0.0", &repository());
    let other = job.main(PROGRAM, &[("images", "web")]).exits(0);
    assert_eq!(other.output("changed"), "false");
    // A version on the command line is baked, whatever the tag.
    let job = with_store(CHAIN).event("push", "refs/tags/docs-v9.9.9", &repository());
    assert_eq!(job.main(PROGRAM, &[("images", "pay"), ("version", "3.0.0")]).exits(0).output("version"), "3.0.0");
}

#[test]
fn a_tag_without_a_patch_number_is_a_version_only_where_it_does_not_move() {
    let github = GitHub::new();
    let token = [("token", TOKEN), ("images", "pay")];
    let job = on(&github, with_store(CHAIN).event("push", "refs/tags/v1.4", &repository()));
    github.add_tag("v1.4", SHA);
    github.add_tag("v1.3.9", "99");
    let main = job.main(PROGRAM, &token).exits(0);
    assert_eq!(main.output("version"), "1.4.0");
    assert!(main.annotations("notice")[0].contains("Tag v1.4 is version 1.4.0"));
    github.add_tag("v1.4.2", "99");
    let moved = job.main(PROGRAM, &token).exits(0);
    assert!(moved.annotations("notice")[0].contains("v1.4 is a floating tag, since v1.4.2 exists"));
    // Published tags count, too, and a failed look-up is an error.
    let job = on(&GitHub::new(), job.event("push", "refs/heads/main", &repository()));
    job.main(PROGRAM, &[("images", "pay"), ("version", "1.4.1")]).exits(0);
    let job = job.event("push", "refs/tags/v1.4", &repository());
    let taken = job.main(PROGRAM, &token).exits(4);
    assert!(taken.annotations("error")[0].contains("but 1.4.1 exists already"), "{:?}", taken.annotations("error"));
    let job = job.variable("GITHUB_API_URL", "http://127.0.0.1:9");
    let blind = job.main(PROGRAM, &token).exits(4);
    assert!(blind.annotations("error")[0].contains("cannot tell whether tag v1.4"), "{:?}", blind.annotations("error"));
}

#[test]
fn a_tag_that_is_no_version_is_none() {
    let job = with_store(CHAIN).event("push", "refs/tags/nightly", &repository());
    assert_eq!(job.main(PROGRAM, &[("images", "pay")]).exits(0).output("version"), "0.1.0-dev.4711");
    job.write("bake.yml", &CHAIN.replace("name: shop", "name: shop\nversion: release"));
    let main = job.main(PROGRAM, &[("images", "pay")]).exits(4);
    let error = main.step.commands.iter().find(|command| command.name == "error").unwrap();
    assert!(error.data.contains("tag nightly is not a version"), "{}", error.data);
    assert_eq!(error.properties.get("line").map(String::as_str), Some("3"));
}

/// For events that anybody can cause, the checked-out commit decides.
#[test]
fn a_strangers_commit_is_not_used_with_the_rights_of_the_default_branch() {
    let with = |field: &str, value: Value| {
        let mut event = repository();
        event[field] = value;
        event
    };
    let fork = json!({"number": 7, "head": {"sha": "99".repeat(20), "repo": {"full_name": "eve/images"}}});
    let follows = json!({
        "event": "pull_request", "head_branch": "main", "head_sha": "99".repeat(20), "pull_requests": [],
        "head_repository": {"full_name": "eve/images"},
    });
    let events = [
        ("pull_request_target", with("pull_request", fork)),
        ("workflow_run", with("workflow_run", follows)),
        ("issue_comment", with("issue", json!({"number": 7, "pull_request": {}}))),
    ];
    for (event, payload) in events {
        let job = with_store(CHAIN).event(event, "refs/heads/main", &payload);
        let checked_out = |id: &str| {
            job.write(".git/HEAD", id);
        };
        for command in ["bake", "plan", "matrix"] {
            checked_out(&"99".repeat(20));
            let main = job.main(PROGRAM, &[("command", command), ("images", "pay")]).exits(4);
            assert!(main.annotations("error")[0].contains("may be a stranger's"), "{event}: {command}");
        }
        job.main(PROGRAM, &[("command", "check")]).exits(0);
        // The default branch is the repository's own, but a stranger's click does not make a final version.
        checked_out(SHA);
        let own = job.main(PROGRAM, &[("images", "pay")]).exits(0);
        assert_eq!(own.output("version"), "0.1.0-dev.4711", "{event}");
        checked_out(&"99".repeat(20));
        let reviewed = job.main(PROGRAM, &[("images", "pay"), ("reviewed-sha", &"99".repeat(20)), ("force", "true")]);
        let expected = if event == "workflow_run" { "0.1.0-dev.4711" } else { "0.1.0-pr.7.9999999" };
        assert_eq!(reviewed.exits(0).output("version"), expected, "{event}");
        let short = job.main(PROGRAM, &[("reviewed-sha", "9999999")]).exits(2);
        assert!(short.annotations("error")[0].contains("for input `reviewed-sha`"));
    }
}

/// The same rule applies to `run: ami-bake bake`.
#[test]
fn a_plain_step_uses_no_strangers_commit_either() {
    let fixture = crate::fixture::Fixture::with(CHAIN)
        .variable("GITHUB_ACTIONS", "true")
        .variable("GITHUB_EVENT_NAME", "issue_comment")
        .variable("GITHUB_REF", "refs/heads/main")
        .variable("GITHUB_REPOSITORY", "shop/images")
        .variable("GITHUB_SHA", SHA);
    fixture.write(".git/HEAD", &"99".repeat(20));
    fixture.run(&["plan", "--image", "pay"]).exits(4).says("may be a stranger's");
    fixture.write(".git/HEAD", SHA);
    let plan = fixture.run(&["plan", "--image", "pay"]).exits(0);
    assert!(plan.stdout.contains("0.1.0-dev.0"), "{}", plan.stdout);
}

/// `images` is a list of words in a fork's run, too.
#[test]
fn a_forks_run_selects_images_as_any_other() {
    let manifest = "format: 1\nname: shop\nversion: 2.0.0\naws: {region: us-east-1, role: arn:aws:iam::111111111111:role/bake}\nimages:\n  base:\n    source: {ami: {owner: self, name: base-*}}\n    build: [{run: 'true'}]\n  web:\n    source: {image: base}\n    build: [{run: 'true'}]\n  pay:\n    source: {ami: {owner: self, name: pay-*}}\n    build: [{run: 'true'}]\n";
    let mut event = repository();
    event["pull_request"] = json!({"number": 7, "head": {"sha": SHA, "repo": {"full_name": "eve/images"}}});
    let job = with_store(manifest).event("pull_request", "refs/pull/7/merge", &event);
    for images in ["base web", "base, web", "base\nweb"] {
        let main = job.main(PROGRAM, &[("images", images)]).exits(0);
        let text = main.step.text();
        assert!(text.contains("web ") && text.contains("base-* owned by self") && !text.contains("pay-*"), "{text}");
    }
}
