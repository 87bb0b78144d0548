//! Publishing reports to GitHub: comments, release notes, the jobs of a matrix.

use ami_bake_core::report::Report;
use ami_bake_testkit::github::{ApiFault, GitHub, TOKEN, VIEWER};
use ami_bake_testkit::report;
use serde_json::{Value, json};

use crate::fixture::{CommandOutcome, Fixture};

/// A folder with a report, and a GitHub used as from a step of a workflow.
struct Workflow {
    fixture: Fixture,
    github: GitHub,
}

impl Workflow {
    fn with(report: &Report, event: &Value) -> Self {
        let github = GitHub::new();
        let mut fixture = Fixture::new()
            .variable("GITHUB_ACTIONS", "true")
            .variable("GITHUB_WORKFLOW", "ci")
            .variable("GITHUB_JOB", "bake")
            .variable("GITHUB_RUN_ID", "42");
        fixture.write("event.json", &event.to_string());
        let path = fixture.path("event.json").display().to_string();
        fixture = fixture.variable("GITHUB_EVENT_PATH", &path);
        for (name, value) in github.variables() {
            fixture = fixture.variable(&name, &value);
        }
        fixture.write("bake-report.json", &serde_json::to_string(report).unwrap());
        Self { fixture, github }
    }

    fn run(&self, arguments: &[&str]) -> CommandOutcome {
        let outcome = self.fixture.run(arguments);
        assert!(!format!("{}{}", outcome.stdout, outcome.stderr).contains(TOKEN), "the token is shown");
        outcome
    }
}

fn pull_request() -> Value {
    json!({
        "repository": {"full_name": "shop/images"},
        "pull_request": {"number": 7, "head": {"sha": "1a2b3c4d", "repo": {"full_name": "shop/images"}}},
    })
}

#[test]
fn a_comment_is_written_once_and_then_kept_up_to_date() {
    let workflow = Workflow::with(&report::good(), &pull_request());
    let marker = "<!-- ami-bake: ci/bake/shop -->";
    workflow.github.add_comment(7, "mallory", &format!("quoted\n\n{marker}"));
    workflow.run(&["report", "--comment"]).exits(0).says("Created the comment on pull request 7: http");
    workflow.run(&["report", "--comment"]).exits(0).says("Left the comment unchanged");
    workflow.run(&["report", "--comment", "--comment-key", "other"]).exits(0).says("Created the comment");
    // A second comment with the same key, as two concurrent runs or a lost answer can create it.
    workflow.github.add_comment(7, VIEWER, &format!("twice\r\n\r\n{marker}\r\n"));
    workflow.fixture.write("bake-report.json", &serde_json::to_string(&report::bad()).unwrap());
    workflow.run(&["report", "--comment"]).exits(0).says("Updated the comment");

    let comments = workflow.github.comments();
    let authors: Vec<&str> = comments.iter().map(|(author, _)| author.as_str()).collect();
    assert_eq!(authors, ["mallory", VIEWER, VIEWER], "{comments:#?}");
    assert!(comments[0].1.starts_with("quoted"), "another's comment is another's");
    assert!(comments[1].1.contains("build failed") && comments[1].1.ends_with(&format!("{marker}\n")));
    assert!(comments[2].1.contains("1 image baked") && !comments[2].1.contains(marker));
}

#[test]
fn the_second_half_of_a_forks_pull_request_finds_it_by_its_head() {
    let event = json!({
        "repository": {"full_name": "shop/images"},
        "workflow_run": {
            "event": "pull_request", "head_sha": "1a2b3c4d", "head_branch": "fix/it", "pull_requests": [],
            "html_url": "https://github.com/shop/images/actions/runs/41",
            "head_repository": {"full_name": "mallory/images", "owner": {"login": "mallory"}},
        },
    });
    let workflow = Workflow::with(&report::good(), &event);
    workflow.github.add_pull(6, "mallory:other", "1a2b3c4d");
    workflow.run(&["report", "--comment"]).exits(0).says("Skipped the comment: no open pull request");
    workflow.github.add_pull(9, "mallory:fix/it", "1a2b3c4d");
    workflow.run(&["report", "--comment"]).exits(0).says("Created the comment on pull request 9");
    let (_, text) = &workflow.github.comments()[0];
    assert!(text.contains("for a pull request from a fork, without credentials"), "{text}");
    assert!(text.contains("(https://github.com/shop/images/actions/runs/41)"), "the run that baked is linked");
    // The head of the pull request has moved on: the report is no longer about it.
    workflow.fixture.write("event.json", &event.to_string().replace("1a2b3c4d", "99999999"));
    workflow.run(&["report", "--comment"]).exits(0).says("Skipped the comment: no open pull request");
}

#[test]
fn refusals_say_what_to_do_and_limits_are_waited_out() {
    let workflow = Workflow::with(&report::good(), &pull_request());
    let comment = |times: &[ApiFault]| {
        for fault in times {
            workflow.github.refuse(fault.clone());
        }
        workflow.run(&["report", "--comment"])
    };
    let once = |fault: ApiFault| ApiFault { times: 1, ..fault };
    let post = |status, message| once(ApiFault::always("POST", "/issues/7/comments", status, message));
    comment(&[post(403, "Resource not accessible by integration")])
        .exits(4)
        .says("comment on pull request 7 of shop/images: GitHub answered 403, Resource not accessible by integration")
        .says("pull-requests: write");
    comment(&[post(422, "Body is too long (maximum is 65536 characters)")])
        .exits(1)
        .says("The job summary has the whole text");
    comment(&[once(ApiFault::always("GET", "/issues/7/comments", 404, "Not Found"))])
        .exits(4)
        .says("or the token has no access to it");
    let broken = || ApiFault { times: 4, ..ApiFault::always("GET", "/issues/7/comments", 502, "Server Error") };
    comment(&[broken()]).exits(1).says("GitHub answered 502").says("Run `ami-bake report` later");
    assert!(workflow.github.comments().is_empty());

    // A secondary rate limit with a time, then a server error, then an answer that is lost after the request took
    // effect.
    let limit = post(403, "You have exceeded a secondary rate limit");
    let limit = ApiFault { header: Some(("retry-after", "1")), ..limit };
    let lost = ApiFault { done: true, ..post(502, "Server Error") };
    comment(&[limit, post(503, "Unavailable"), lost]).exits(0).says("Created the comment");
    assert_eq!(workflow.github.comments().len(), 2, "what was lost is there twice …");
    comment(&[]).exits(0);
    assert_eq!(workflow.github.comments().len(), 1, "… until it is looked for again");
}

#[test]
fn a_proxy_is_asked_where_the_environment_names_one() {
    let mut workflow = Workflow::with(&report::good(), &pull_request());
    let proxy = workflow.github.address();
    for (name, value) in [
        ("GITHUB_API_URL", "http://ghe.invalid/api/v3"),
        ("GITHUB_GRAPHQL_URL", "http://ghe.invalid/api/graphql"),
        ("HTTP_PROXY", proxy.as_str()),
        ("NO_PROXY", ""),
    ] {
        workflow.fixture = workflow.fixture.variable(name, value);
    }
    workflow.run(&["report", "--comment"]).exits(0).says("Created the comment");
    workflow.github.refuse(ApiFault { times: 2, ..ApiFault::always("POST", "/api/graphql", 502, "Server Error") });
    workflow.run(&["report", "--comment"]).exits(0).says("Left the comment unchanged");
}

#[test]
fn a_release_gets_its_images_and_the_report() {
    let workflow = Workflow::with(&report::good(), &json!({}));
    let before = serde_json::to_string(&report::before()).unwrap();
    let other = Report { namespace: "pay".to_owned(), ..report::before() };
    workflow.github.add_release("v1.3.0", "", &json!({"immutable": true}));
    workflow.github.add_file("v1.3.0", "bake-report.json", &before);
    workflow.github.add_release("pay-v1.3.9", "", &json!({}));
    workflow.github.add_file("pay-v1.3.9", "bake-report.json", &serde_json::to_string(&other).unwrap());
    workflow.github.add_release("v1.4.0", "People wrote this.", &json!({"draft": true}));
    workflow.run(&["report", "--release-notes", "v1.4.0"]).exits(0).says("and attached the report");
    let notes = workflow.github.notes("v1.4.0");
    assert!(notes.starts_with("People wrote this.\n\n<!-- ami-bake:begin shop -->\n### Images"), "{notes}");
    assert!(notes.contains("1 removed, 1 upgraded since version <code>1.3.0</code>"), "{notes}");
    let attached: Report = serde_json::from_str(&workflow.github.file("v1.4.0", "bake-report.json").unwrap()).unwrap();
    assert_eq!(attached, report::good());

    // Repeated it only changes the file, and a failed bake leaves the notes unchanged.
    workflow.run(&["report", "--release-notes", "v1.4.0"]).exits(0);
    assert_eq!(workflow.github.notes("v1.4.0"), notes);
    let patches = workflow.github.requests().iter().filter(|request| request.starts_with("PATCH")).count();
    assert_eq!(patches, 1);
    workflow.fixture.write("bake-report.json", &serde_json::to_string(&report::bad()).unwrap());
    workflow.run(&["report", "--release-notes", "v1.4.0"]).exits(2).says("no images for the notes of release v1.4.0");
    assert_eq!(workflow.github.notes("v1.4.0"), notes);

    // A published immutable release accepts notes, but no file.
    workflow.fixture.write("bake-report.json", &serde_json::to_string(&report::good()).unwrap());
    workflow.run(&["report", "--release-notes", "v1.3.0"]).exits(0).says("Updated the notes of release v1.3.0");
    assert_eq!(workflow.github.file("v1.3.0", "bake-report.json"), Some(before));
    workflow.run(&["report", "--release-notes", "v2"]).exits(4).says("shop/images has no release v2");
}

#[test]
fn what_goes_into_a_file_is_the_same_without_github() {
    let fixture = Fixture::new();
    fixture.run(&["report"]).exits(2).says("could not read report bake-report.json");
    fixture.write("reports/base/bake-report.json", &serde_json::to_string(&report::before()).unwrap());
    fixture.write("reports/web/bake-report.json", &serde_json::to_string(&report::good()).unwrap());
    fixture.write("last.json", &serde_json::to_string(&report::before()).unwrap());
    fixture.run(&["report", "--report", "reports", "--merge", "all.json"]).exits(0);
    let all: Value = serde_json::from_str(&fixture.read("all.json")).unwrap();
    assert_eq!(all["images"].as_array().unwrap().len(), 2);
    fixture.run(&["report", "--report", "last.json", "--tfvars", "images.tfvars.json"]).exits(0);
    let variables: Value = serde_json::from_str(&fixture.read("images.tfvars.json")).unwrap();
    assert_eq!(variables["ami_ids"]["web"]["us-east-1"], variables["ami_id"], "{variables:#}");
    assert_eq!(variables["ami_versions"], json!({"web": "1.3.0"}));
    let shown = fixture.run(&["report", "--report", "reports/web/bake-report.json", "--against", "last.json"]).exits(0);
    assert!(shown.stdout.contains("since version <code>1.3.0</code>") && shown.stdout.contains("```mermaid"));
    fixture.run(&["report", "--comment"]).exits(2).says("bake-report.json");
    fixture.run(&["report", "--report", "all.json", "--comment"]).exits(2).says("neither GITHUB_TOKEN nor GH_TOKEN");
}

const CHAIN: &str = "format: 1
name: shop
platform: local
vars: {greeting: hello}
images:
  base:
    source: {local: host}
    build: [{run: 'echo ${{ vars.greeting }} > /srv/greeting'}]
  web:
    source: {image: base}
    build: [{run: 'cp /srv/greeting /srv/index'}]
    test: [{expect: {file: /srv/index}}]
  pay:
    source: {local: host}
    build: [{run: 'echo pay > /srv/pay'}]
";

/// Plan, a job for each image, and a last job that merges their reports: a workflow on several runners.
#[test]
fn the_jobs_of_a_matrix_agree_on_versions_and_make_one_report() {
    let fixture = Fixture::with(CHAIN);
    let matrix = |arguments: &[&str]| -> Value {
        let all = [&["matrix", "--bump", "minor"], arguments].concat();
        serde_json::from_str(&fixture.run(&all).exits(0).stdout).unwrap()
    };
    let plan = matrix(&[]);
    let names = |level: usize| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let entries = plan["levels"][level]["include"].as_array().unwrap();
        entries.iter().map(|entry| (text(&entry["image"]), text(&entry["version"]))).collect()
    };
    let pair = |image: &str| (image.to_owned(), "0.1.0".to_owned());
    assert_eq!((names(0), names(1)), (vec![pair("base"), pair("pay")], vec![pair("web")]), "{plan:#}");
    assert_eq!((plan["changed"].as_bool(), plan["matrix"]["include"].as_array().unwrap().len()), (Some(true), 3));

    for (image, _) in [names(0), names(1)].concat() {
        // Versions are fixed once: whatever was published since, a job makes the version of the plan.
        let version = format!("{image}=3.2.1");
        fixture.run(&["bake", "--image", &image, "--image-version", &version]).exits(0);
        fixture.write(&format!("reports/{image}/bake-report.json"), &fixture.read("bake-report.json"));
    }
    fixture.run(&["report", "--report", "reports", "--merge", "bake-report.json"]).exits(0);
    let all: Value = serde_json::from_str(&fixture.read("bake-report.json")).unwrap();
    let told: Vec<(&str, &str, &str)> = all["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| {
            let text = |field: &str| image[field].as_str().unwrap();
            (text("name"), text("status"), text("version"))
        })
        .collect();
    assert_eq!(told, [("base", "baked", "3.2.1"), ("pay", "baked", "3.2.1"), ("web", "baked", "3.2.1")], "{all:#}");
    assert!(all["images"][2]["installed"].is_object() || all["images"][2]["packages"].is_object(), "{all:#}");
    let nothing = matrix(&[]);
    assert_eq!((&nothing["changed"], &nothing["levels"]), (&json!(false), &json!([])));
}

/// A checkout can contain a link under any name that the program writes to.
#[test]
fn no_file_is_written_through_a_link_of_the_checkout() {
    let workflow = Workflow::with(&report::good(), &pull_request());
    let at = |name: &str| workflow.fixture.path(name);
    workflow.fixture.write("victim", "precious");
    for name in ["out.md", "all.json", "bake.yml", "new.yml", ".bake-report.json.1"] {
        std::os::unix::fs::symlink("victim", at(name)).unwrap();
    }
    workflow.run(&["report", "--merge", "all.json", "--markdown", "out.md"]).exits(0);
    workflow.fixture.write("packer.json", r#"{"builders": [{"type": "amazon-ebs", "region": "us-east-1", "source_ami": "ami-12345678", "instance_type": "t3.micro", "ssh_username": "ubuntu", "ami_name": "x-1"}]}"#);
    workflow.run(&["import", "packer.json", "-o", "new.yml", "--force"]).exits(0);
    workflow.run(&["init"]).exits(2).says("already exists");
    for name in ["out.md", "all.json", "new.yml"] {
        assert!(at(name).symlink_metadata().unwrap().is_file(), "{name}");
    }
    assert_eq!(workflow.fixture.read("victim"), "precious");
    // Files of the kernel are written in place.
    let printed = workflow.run(&["report", "--markdown", "/dev/stdout"]).exits(0);
    assert!(printed.stdout.contains("shop"), "{printed:?}");
}
