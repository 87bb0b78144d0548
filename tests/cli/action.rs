//! The program as the runner starts it, without a cloud: protocols, a hostile machine, forks, cancels.

use std::os::unix::fs::MetadataExt as _;

use ami_bake_testkit::action::{Job, TOKEN};
use ami_bake_testkit::github::{ApiFault, GitHub};
use ami_bake_testkit::runner::{HOSTILE, Step};
use ami_bake_testkit::test_dir::signal;
use ami_bake_testkit::wait;
use serde_json::{Value, json};

use crate::fixture::Fixture;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_ami-bake");

fn local(namespace: &str, build: &str) -> String {
    format!(
        "format: 1\nname: {namespace}\nplatform: local\nimages:\n  web:\n    source: {{local: host}}\n    build:\n      - name: Write\n        run: {build}\n"
    )
}

fn plain(manifest: &str) -> Job {
    let job = Job::new();
    job.write("bake.yml", manifest);
    job.variable("XDG_STATE_HOME", "/nowhere")
}

/// A job with a folder for local images.
pub(crate) fn with_store(manifest: &str) -> Job {
    let job = Job::new();
    job.write("bake.yml", manifest);
    let state = job.path("home/state").display().to_string();
    job.variable("XDG_STATE_HOME", &state)
}

#[test]
fn a_bake_sets_its_outputs_and_an_unchanged_one_makes_nothing() {
    let job = with_store(&local("shop", "mkdir -p /srv && echo hello > /srv/index.html"));
    // A self-hosted runner that is not root.
    for folder in ["workspace", "runner_temp"] {
        std::os::unix::fs::chown(job.path(folder), Some(1001), Some(1002)).unwrap();
    }
    let inputs = [("version", "1.4.0")];
    let main = job.main(PROGRAM, &inputs).exits(0);
    assert_eq!((main.output("version"), main.output("changed"), main.output("tested")), ("1.4.0", "true", "true"));
    let amis: Value = serde_json::from_str(main.output("amis")).unwrap();
    assert_eq!(amis["web"]["local"], main.output("ami-id"));
    assert_eq!(main.output("report"), "bake-report.json");
    for left in ["workspace/bake-report.json", "runner_temp/ami-bake"] {
        let meta = std::fs::metadata(job.path(left)).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (1001, 1002), "{left}");
    }
    assert!(main.summary.contains("1.4.0"), "{}", main.summary);
    let groups: Vec<&str> =
        main.step.commands.iter().filter(|one| one.name == "group").map(|one| one.data.as_str()).collect();
    assert_eq!(groups, ["web build 1: Write"]);
    assert!(!main.step.is_stopped());
    // The token is masked before everything else.
    assert_eq!((main.step.commands[0].name.as_str(), main.step.commands[0].data.as_str()), ("add-mask", TOKEN));
    let post = job.post(PROGRAM, &inputs, &main).exits(0);
    assert_eq!(post.step.text(), "Nothing to clean up.\n");

    let again = job.event("schedule", "refs/heads/main", &json!({"schedule": "0 4 * * 1"})).main(PROGRAM, &[]).exits(0);
    assert_eq!((again.output("changed"), again.output("ami-id")), ("false", main.output("ami-id")));
    assert!(!again.step.commands.iter().any(|one| one.name == "group"), "a step ran");
}

#[test]
fn output_of_a_machine_is_never_a_workflow_command() {
    let job = with_store(&local("hostile", "cat /hostile.bin; cat /hostile.bin >&2").replace(
        "      - name: Write",
        "      - {upload: hostile.bin, to: /hostile.bin}\n      - name: \"::error::Write ##[error]it\"",
    ));
    let mut output: Vec<u8> = HOSTILE.concat();
    for case in HOSTILE {
        output.extend_from_slice(b"\n");
        output.extend_from_slice(case);
    }
    std::fs::write(job.path("workspace/hostile.bin"), output).unwrap();
    let main = job.main(PROGRAM, &[]).exits(0);
    let names: Vec<&str> = main.step.commands.iter().map(|command| command.name.as_str()).collect();
    assert!(names.iter().all(|name| ["add-mask", "group", "endgroup"].contains(name)), "{:#?}", main.step.commands);
    assert_eq!(main.step.masks(), [TOKEN]);
    assert!(main.output("ami-id") != "ami-evil" && !main.state.contains_key("/etc"));
    assert!(main.step.text().contains("ami-evil"), "it is to be read all the same");
}

#[test]
fn output_of_a_command_is_never_a_workflow_command() {
    let fixture = Fixture::with(&local("hostile-run", "cat /hostile.bin; exit 3").replace(
        "      - name: Write",
        "      - {upload: hostile.bin, to: /hostile.bin}\n      - name: \"::error::Write ##[error]it\"",
    ))
    .variable("GITHUB_ACTIONS", "true");
    std::fs::write(fixture.path("hostile.bin"), HOSTILE.join(&b"\n"[..])).unwrap();
    for arguments in [&["bake"][..], &["bake", "--json"]] {
        let outcome = fixture.run(arguments).exits(5);
        let step = Step::default().read(outcome.stdout.as_bytes()).read(outcome.stderr.as_bytes());
        // The program's own commands are those of the action.
        let foreign = |command: &&ami_bake_testkit::runner::Spoken| {
            let titled = command.properties.get("title").is_some_and(|title| title == "web");
            match command.name.as_str() {
                "add-mask" | "group" | "endgroup" => false,
                "error" => !titled,
                _ => true,
            }
        };
        assert_eq!(step.commands.iter().filter(foreign).count(), 0, "{:#?}", step.commands);
        assert!(!step.is_stopped() && step.masks().is_empty(), "{:#?}", step.commands);
        assert!(step.text().contains("ami-evil"));
    }
}

#[test]
fn what_a_component_document_does_wrong_is_annotated_at_its_own_line() {
    let job = with_store(
        "format: 1\nname: parts\nplatform: local\nimages:\n  web:\n    source: {local: host}\n    build:\n      - component: parts/web.yml\n",
    );
    let document = "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: Optional\n        action: ExecuteBash\n        onFailure: Ignore\n        inputs: {commands: [exit 3]}\n      - name: Bad\n        action: ExecuteBash\n        inputs: {commands: [exit 7]}\n";
    job.write("parts/web.yml", document);
    let main = job.main(PROGRAM, &[]).exits(5);
    let placed = |level: &str| {
        let annotation = main.step.commands.iter().find(|command| command.name == level).unwrap();
        let property = |name: &str| annotation.properties.get(name).cloned().unwrap_or_default();
        (property("file"), property("line"), annotation.data.clone())
    };
    let (file, line, data) = placed("error");
    assert_eq!((file.as_str(), line.as_str()), ("parts/web.yml", "9"), "{data}");
    assert!(data.contains("exited with status 7"), "{data}");
    let (file, line, data) = placed("warning");
    assert_eq!((file.as_str(), line.as_str()), ("parts/web.yml", "5"), "{data}");
    assert!(data.contains("exited with status 3; ignored"), "{data}");
    // The log shows the line and the step that printed it; the summary, which has the same text as a comment, names the
    // step.
    let text = main.step.text();
    assert!(text.contains("--> parts/web.yml:9:") && text.contains("bake.yml:8:9"), "{text}");
    assert!(main.summary.contains("parts/web.yml&#58;9&#58; the phase"), "{}", main.summary);

    job.write("parts/web.yml", &document.replace("ExecuteBash", "ExecuteBsh"));
    for command in ["check", "bake"] {
        let main = job.main(PROGRAM, &[("command", command)]).exits(3);
        let errors = main.step.commands.iter().filter(|command| command.name == "error");
        let places: Vec<_> = errors
            .filter_map(|error| Some((error.properties.get("file")?.as_str(), error.properties.get("line")?.as_str())))
            .collect();
        assert_eq!(places, [("parts/web.yml", "6"), ("parts/web.yml", "10")], "{command}");
    }
}

#[test]
fn a_failure_is_annotated_at_its_line_and_findings_all_at_once() {
    let job = with_store(&local("failing", "echo broken && exit 7"));
    let main = job.main(PROGRAM, &[]).exits(5);
    let error = main.step.commands.iter().find(|command| command.name == "error").unwrap();
    let property = |name: &str| error.properties.get(name).map(String::as_str);
    assert_eq!((property("title"), property("file"), property("line")), (Some("web"), Some("bake.yml"), Some("8")));
    assert!(error.data.contains("status 7"), "{}", error.data);
    assert_eq!(main.output("changed"), "false");

    let images = (0..14).map(|number| format!("  web{number}:\n    sauce: x")).collect::<Vec<_>>().join("\n");
    let job = plain(&format!("format: 1\nname: x\nplatform: local\nimages:\n{images}\n"));
    let main = job.main(PROGRAM, &[("command", "check")]).exits(3);
    assert_eq!(main.annotations("error").len(), 10);
    assert!(main.step.text().contains("more errors are only in this log"), "{}", main.step.text());
}

#[test]
fn inputs_are_validated_by_their_names_in_the_action() {
    let job = plain(&local("x", "true"));
    let wrong = |inputs: &[(&str, &str)], what: &str| {
        let main = job.main(PROGRAM, inputs).exits(2);
        assert!(main.annotations("error")[0].contains(what), "{:?}", main.annotations("error"));
        assert!(main.summary.contains(what), "{}", main.summary);
    };
    wrong(&[("command", "cook")], "invalid value \"cook\" for input `command`");
    wrong(&[("force", "yes")], "invalid value \"yes\" for input `force`");
    wrong(&[("bump", "huge")], "invalid value 'huge' for '--bump");
    wrong(&[("manifest", "none.yml")], "manifest none.yml not found");
}

#[test]
fn a_forks_pull_request_is_checked_without_credentials() {
    let manifest = "format: 1\nname: shop\nversion: 2.0.0\naws: {region: us-east-1, role: arn:aws:iam::111111111111:role/bake}\nimages:\n  web:\n    source: {ami: {owner: self, name: base-*}}\n    build: [{run: 'true'}]\n";
    let fork = json!({
        "repository": {"full_name": "shop/images"},
        "pull_request": {"number": 7, "head": {"sha": "1a2b3c4d", "repo": {"full_name": "eve/images"}}},
    });
    let job = plain(manifest).event("pull_request", "refs/pull/7/merge", &fork);
    let main = job.main(PROGRAM, &[]).exits(0);
    assert!(main.annotations("notice")[0].contains("comes from the fork eve/images"));
    assert!(main.step.text().contains("web    2.0.0    base-* owned by self"), "{}", main.step.text());
    assert!(main.summary.contains("Checked without credentials"));
    assert!(main.annotations("error").is_empty() && main.annotations("warning").is_empty());
    assert!(
        job.main(PROGRAM, &[("on-fork", "skip")]).exits(0).annotations("notice")[0]
            .contains("skipped (`on-fork: skip`)")
    );
    assert!(job.main(PROGRAM, &[("on-fork", "fail")]).exits(4).annotations("error")[0].contains("`on-fork` is `fail`"));
    // Problems are reported without credentials, too.
    job.write("bake.yml", &manifest.replace("source:", "sauce:"));
    assert!(!job.main(PROGRAM, &[]).exits(3).annotations("error").is_empty());
}

#[cfg(feature = "docker")]
#[test]
fn a_forks_pull_request_is_baked_on_docker_where_an_engine_answers() {
    let engine = ami_bake_testkit::docker::Engine::get();
    let base = ami_bake_testkit::docker::BASE;
    let manifest = format!(
        "format: 1\nname: fork-{}\naws: {{region: us-east-1, role: arn:aws:iam::111111111111:role/bake}}\nimages:\n  web:\n    source:\n      ami: {{owner: self, name: base-*}}\n      docker: {base}\n    build: [{{run: 'echo hello > /hello'}}]\n    test: [{{run: 'test -e /hello'}}]\n",
        std::process::id()
    );
    let fork = json!({
        "repository": {"full_name": "shop/images"},
        "pull_request": {"number": 7, "head": {"sha": "1a2b3c4d", "repo": {"full_name": "eve/images"}}},
    });
    let job = plain(&manifest).event("pull_request", "refs/pull/7/merge", &fork).variable("DOCKER_HOST", engine.host());
    let main = job.main(PROGRAM, &[("role", "arn:aws:iam::111111111111:role/bake"), ("region", "us-east-1")]).exits(0);
    assert_eq!((main.output("version"), main.output("tested")), ("0.1.0-pr.7.1a2b3c4", "true"), "{}", main.step.text());
    assert!(main.summary.contains("0.1.0-pr.7.1a2b3c4"));
    // Without an engine only the check runs.
    let alone = job.variable("DOCKER_HOST", "unix:///nowhere/docker.sock").main(PROGRAM, &[]).exits(0);
    assert!(alone.step.text().contains("Skipped the bake"), "{}", alone.step.text());
}

/// The text of the job's ledgers.
fn ledgers(job: &Job) -> String {
    let entries = std::fs::read_dir(job.path("runner_temp/ami-bake")).into_iter().flatten().flatten();
    entries.map(|entry| std::fs::read_to_string(entry.path()).unwrap_or_default()).collect()
}

/// Waits until the job's machine is in its ledger.
fn until_launched(job: &Job) {
    wait::until_true("no machine was launched", || ledgers(job).contains("confirmed"));
}

#[test]
fn a_cancel_cleans_up_and_post_finds_nothing() {
    let job = with_store(&local("cancelled", "sleep 3600"));
    let running = job.start(PROGRAM, &[]);
    until_launched(&job);
    signal(&running.child, "INT");
    let main = running.end().exits(130);
    assert!(main.state.contains_key("ledger") && main.state["platform"] == "local");
    job.post(PROGRAM, &[], &main).exits(0);
    assert_eq!(ledgers(&job), "");
}

#[test]
fn an_early_cancel_starts_nothing() {
    let job = with_store(&local("early", "true"));
    // A GitHub that accepts the request for labels, and never answers.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let job = job.variable("GITHUB_API_URL", &format!("http://{}", silent.local_addr().unwrap()));
    let running = job.start(PROGRAM, &[]);
    let _asked = silent.accept().unwrap();
    signal(&running.child, "INT");
    let main = running.end().exits(130);
    assert!(!main.state.contains_key("ledger"));
    assert_eq!(job.post(PROGRAM, &[], &main).exits(0).step.text(), "Nothing to clean up.\n");
}

#[test]
fn post_cleans_up_after_a_killed_step() {
    let job = with_store(&local("killed", "sleep 3600"));
    let running = job.start(PROGRAM, &[]);
    until_launched(&job);
    signal(&running.child, "KILL");
    let main = running.end();
    assert_eq!(main.code, None);
    let post = job.post(PROGRAM, &[], &main).exits(0);
    assert!(post.step.text().contains("Cleaning up 1 resource left by the main step"), "{}", post.step.text());
    assert_eq!(ledgers(&job), "");
    // A second post step has nothing to do.
    assert_eq!(job.post(PROGRAM, &[], &main).exits(0).step.text(), "Nothing to clean up.\n");
}

#[test]
fn post_waits_for_a_main_step_that_is_still_at_work() {
    let job = with_store(&local("lingering", "sleep 3600"));
    let running = job.start(PROGRAM, &[]);
    wait::until_true("the platform is not saved", || running.state().contains_key("platform-args"));
    let post = job.start_post(PROGRAM, &[], &running.state());
    signal(&running.child, "TERM");
    running.end().exits(130);
    assert_eq!(post.end().exits(0).step.text(), "Nothing to clean up.\n");
}

/// ARC in Kubernetes mode: what does not come back is said, and without the event nothing is done.
#[test]
fn an_action_in_a_pod_says_what_the_job_does_not_get() {
    let manifest = local("pod", "'true'");
    let pod = || plain(&manifest).variable("KUBERNETES_SERVICE_HOST", "10.0.0.1").variable("GITHUB_ACTIONS", "");
    let checked = |job: Job| job.main(PROGRAM, &[("command", "check")]);
    let warned = checked(pod()).exits(0).annotations("warning").join("\n");
    assert!(warned.contains("may not reach the job") && warned.contains("ami-bake/ami-bake/setup"), "{warned}");
    let gone = checked(pod().variable("GITHUB_EVENT_PATH", "/nowhere/event.json")).exits(4);
    assert!(gone.annotations("error")[0].contains("the event of the workflow is not in the pod"), "{gone:?}");
    assert!(checked(plain(&manifest)).exits(0).annotations("warning").is_empty());
}

#[test]
fn an_unmounted_runner_temp_is_replaced() {
    let job = with_store(&local("old-runner", "true")).variable("RUNNER_TEMP", "/nowhere/_temp");
    let main = job.main(PROGRAM, &[]).exits(0);
    let home = job.path("home").display().to_string();
    assert!(main.state["ledger"].starts_with(&home), "{}", main.state["ledger"]);
    job.post(PROGRAM, &[], &main).exits(0);
}

/// A job that uses a GitHub.
pub(crate) fn on(github: &GitHub, mut job: Job) -> Job {
    for (name, value) in
        github.variables().into_iter().filter(|(name, _)| name.starts_with("GITHUB_") && name != "GITHUB_TOKEN")
    {
        job = job.variable(&name, &value);
    }
    job
}

#[test]
fn a_pull_request_gets_a_version_of_its_own_and_one_comment() {
    let github = GitHub::new();
    let event = json!({
        "repository": {"full_name": "shop/images", "default_branch": "main"},
        "pull_request": {
            "number": 7, "head": {"sha": "1a2b3c4d5e6f", "repo": {"full_name": "shop/images"}}, "labels": [{"name": "bump:minor"}],
        },
    });
    let job = with_store(&local("shop", "echo one > /srv/one")).event("pull_request", "refs/pull/7/merge", &event);
    let job = on(&github, job);
    let token = ("token", ami_bake_testkit::github::TOKEN);
    let main = job.main(PROGRAM, &[token]).exits(0);
    assert_eq!(main.output("version"), "0.1.0-pr.7.1a2b3c4");
    assert!(main.annotations("warning").is_empty(), "{:?}", main.annotations("warning"));
    let again = job.main(PROGRAM, &[token, ("tfvars", "images.auto.tfvars.json")]).exits(0);
    let variables = std::fs::read_to_string(job.path("workspace/images.auto.tfvars.json")).unwrap();
    let variables: Value = serde_json::from_str(&variables).unwrap();
    let id = again.output("ami-id");
    assert_eq!(
        variables,
        json!({"ami_id": id, "ami_ids": {"web": {"local": id}}, "ami_versions": {"web": "0.1.0-pr.7.1a2b3c4"}})
    );
    assert_eq!((again.output("changed"), github.comments().len()), ("false", 1));
    assert!(github.comments()[0].1.contains("0.1.0-pr.7.1a2b3c4"));
    let comment = || github.comments()[0].1.clone();
    assert!(comment().contains("Nothing to compare with: no release has a bake-report.json of shop."), "{}", comment());

    // Of the default branch there is the report of its last release.
    let mut released: Value =
        serde_json::from_str(&std::fs::read_to_string(job.path("workspace/bake-report.json")).unwrap()).unwrap();
    released["images"][0]["version"] = json!("0.0.9");
    github.add_release("v0.0.9", "", &json!({}));
    github.add_file("v0.0.9", "bake-report.json", &released.to_string());
    job.main(PROGRAM, &[token]).exits(0);
    assert!(
        comment().contains("### Compared with release v0.0.9") && comment().contains("0.0.9 → 0.1.0-pr"),
        "{}",
        comment()
    );

    // A token without the right to comment is no failure; with `comment: always` there is a warning.
    github.refuse(ApiFault::always("GET", "/comments", 403, "Resource not accessible by integration"));
    let auto = job.main(PROGRAM, &[token]).exits(0);
    assert!(
        auto.annotations("warning").is_empty() && auto.step.text().contains("Skipped the comment"),
        "{}",
        auto.step.text()
    );
    let always = job.main(PROGRAM, &[token, ("comment", "always")]).exits(0);
    assert!(always.annotations("warning")[0].contains("not accessible"), "{:?}", always.annotations("warning"));
    let requests = github.requests().len();
    job.main(PROGRAM, &[token, ("comment", "never")]).exits(0);
    assert_eq!(github.requests().len(), requests);
}

#[test]
fn the_label_of_the_merged_pull_request_raises_the_version() {
    let github = GitHub::new();
    let token = ("token", ami_bake_testkit::github::TOKEN);
    let job = on(&github, with_store(&local("labelled", "echo one > /srv/one")));
    assert_eq!(job.main(PROGRAM, &[token]).exits(0).output("version"), "0.1.0");
    github.add_merged("1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d", "bump:minor");
    job.write("bake.yml", &local("labelled", "echo two > /srv/one"));
    let minor = job.main(PROGRAM, &[token]).exits(0);
    assert_eq!(minor.output("version"), "0.2.0", "{}", minor.step.text());
    // An explicit input overrides the labels.
    job.write("bake.yml", &local("labelled", "echo three > /srv/one"));
    assert_eq!(job.main(PROGRAM, &[token, ("bump", "major")]).exits(0).output("version"), "1.0.0");
}

#[test]
fn a_release_bakes_under_its_version_and_has_the_image_in_its_notes() {
    let github = GitHub::new();
    github.add_release("web-v3.1.0", "By hand.", &json!({}));
    let event = json!({"release": {"tag_name": "web-v3.1.0", "prerelease": false}, "repository": {"full_name": "shop/images", "default_branch": "main"}});
    let job =
        with_store(&local("released", "echo three > /srv/three")).event("release", "refs/tags/web-v3.1.0", &event);
    let inputs = [("token", ami_bake_testkit::github::TOKEN), ("release-notes", "true")];
    let main = on(&github, job).main(PROGRAM, &inputs).exits(0);
    assert_eq!(main.output("version"), "3.1.0");
    let notes = github.notes("web-v3.1.0");
    assert!(notes.starts_with("By hand.") && notes.contains(main.output("ami-id")), "{notes}");
}

/// Once, and published only with its images; a draft that a person prepared stays one.
#[test]
fn a_tag_without_a_release_gets_one_if_that_is_wanted() {
    let github = GitHub::new();
    let event = json!({"repository": {"full_name": "shop/images", "default_branch": "main"}});
    let tagged = |tag: &str| {
        let job = with_store(&local("tagged", "echo three > /srv/three"));
        on(&github, job.event("push", &format!("refs/tags/{tag}"), &event))
    };
    let notes = [("token", ami_bake_testkit::github::TOKEN), ("release-notes", "true")];
    let create = [&notes[..], &[("create-release", "true")]].concat();
    let refused = tagged("v3.1.0-rc.1").main(PROGRAM, &notes).exits(0);
    assert!(refused.annotations("warning")[0].contains("has no release v3.1.0-rc.1"), "{refused:?}");
    let job = tagged("v3.1.0-rc.1");
    let main = job.main(PROGRAM, &create).exits(0);
    assert!(main.step.text().contains("Created release v3.1.0-rc.1"), "{}", main.step.text());
    assert!(github.notes("v3.1.0-rc.1").contains(main.output("ami-id")));
    assert!(github.file("v3.1.0-rc.1", "bake-report.json").is_some());
    let release = || github.release("v3.1.0-rc.1");
    assert_eq!((&release()["draft"], &release()["prerelease"]), (&json!(false), &json!(true)));
    assert!(job.main(PROGRAM, &create).exits(0).step.text().contains("Updated the notes of release v3.1.0-rc.1"));
    github.add_release("v4.0.0", "By hand.", &json!({"draft": true}));
    tagged("v4.0.0").main(PROGRAM, &create).exits(0);
    assert_eq!(github.release("v4.0.0")["draft"], json!(true));
}

#[test]
fn a_plan_and_a_matrix_list_what_the_jobs_bake() {
    let job = with_store(&local("planned", "true"));
    for command in ["plan", "matrix"] {
        let main = job.main(PROGRAM, &[("command", command)]).exits(0);
        let matrix: Value = serde_json::from_str(main.output("matrix")).unwrap();
        assert_eq!((main.output("changed"), &matrix["changed"]), ("true", &json!(true)));
        assert_eq!(matrix["levels"][0]["include"][0]["image"], "web");
        assert!(main.output("ami-id").is_empty() && main.output("version").is_empty());
    }
    let dry = job.main(PROGRAM, &[("dry-run", "true")]).exits(0);
    assert!(dry.step.text().contains("Plan: 1 to bake, 0 to reuse."), "{}", dry.step.text());
    assert!(!job.path("workspace/bake-report.json").exists());
}
