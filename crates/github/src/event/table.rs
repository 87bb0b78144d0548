//! Generates the table of versions in docs/action.md from events.

use ami_bake_core::engine::{Options, requested_version};
use ami_bake_core::image::ImageRecord;
use ami_bake_core::plan::{Digest, ImageKey, SourceQuery, Variant, VersionRule};
use ami_bake_core::{Error, Route};
use ami_bake_testkit::cloud::repository;
use semver::Version;
use serde_json::{Value, json};

use super::{Code, EventVersion, Names, RepositoryTag, TagCommit, Workflow};
use crate::runner::Environment;

const SHA: &str = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d";

/// A run: event name, ref, and payload in addition to the repository.
struct Run {
    says: &'static str,
    event: &'static str,
    reference: &'static str,
    payload: Value,
    code: Code,
    /// Other tags of the repository.
    tags: &'static [&'static str],
}

fn run(says: &'static str, event: &'static str, reference: &'static str) -> Run {
    Run { says, event, reference, payload: json!({}), code: Code::Event, tags: &[] }
}

fn tag(says: &'static str, reference: &'static str) -> Run {
    run(says, "push", reference)
}

fn runs() -> Vec<Run> {
    let pull = json!({"pull_request": {"number": 7, "head": {"sha": SHA, "repo": {"full_name": "shop/images"}}}});
    let release = |prerelease: bool| json!({"release": {"tag_name": "v2.0.0", "prerelease": prerelease}});
    let follows = |event: &str, branch: &str, repository: &str| {
        json!({"workflow_run": {
            "event": event, "head_branch": branch, "head_sha": SHA, "head_repository": {"full_name": repository},
            "pull_requests": if event == "pull_request" { json!([{"number": 7}]) } else { json!([]) },
        }})
    };
    let comment = json!({"issue": {"number": 7, "pull_request": {}}});
    vec![
        run("push to the default branch", "push", "refs/heads/main"),
        run("schedule", "schedule", "refs/heads/main"),
        run("dispatch on the default branch", "workflow_dispatch", "refs/heads/main"),
        run("push to another branch", "push", "refs/heads/topic"),
        run("dispatch on another branch", "workflow_dispatch", "refs/heads/topic"),
        run("deployment of another branch", "deployment", "refs/heads/topic"),
        run("merge queue", "merge_group", "refs/heads/gh-readonly-queue/main/pr-7-1a2b"),
        Run { payload: pull, ..run("pull request 7", "pull_request", "refs/pull/7/merge") },
        tag("tag `v2.0.0`, `2.0.0`", "refs/tags/v2.0.0"),
        tag("tag `v2.0.0-rc.1`", "refs/tags/v2.0.0-rc.1"),
        tag("tag `shop@2.0.0`, `shop-v2.0.0`, `shop/v2.0.0`: the manifest's name", "refs/tags/shop@2.0.0"),
        tag("tag `web@2.0.0`, `web-v2.0.0`, `web/v2.0.0`: an image's name", "refs/tags/web-v2.0.0"),
        tag("tag `V2.0.0`", "refs/tags/V2.0.0"),
        tag("tag `v2026.01.05`", "refs/tags/v2026.01.05"),
        tag("tag `v2.4`, if it is the only one of 2.4", "refs/tags/v2.4"),
        Run { tags: &["v2.4.1"], ..tag("tag `v2.4` beside `v2.4.1`", "refs/tags/v2.4") },
        tag("tag `v2`", "refs/tags/v2"),
        tag("tag `docs-v9.9.9`: a name that is not in the manifest", "refs/tags/docs-v9.9.9"),
        tag("tag `nightly`", "refs/tags/nightly"),
        Run { payload: release(false), ..run("release `v2.0.0`", "release", "refs/tags/v2.0.0") },
        Run {
            payload: release(true),
            ..run("release `v2.0.0`, marked as a pre-release", "release", "refs/tags/v2.0.0")
        },
        Run {
            payload: follows("push", "main", "shop/images"),
            code: Code::FirstRun,
            ..run("`workflow_run` after a push to the default branch", "workflow_run", "refs/heads/main")
        },
        Run {
            payload: follows("push", "topic", "shop/images"),
            code: Code::FirstRun,
            ..run("`workflow_run` after a push to another branch", "workflow_run", "refs/heads/main")
        },
        Run {
            payload: follows("pull_request", "topic", "shop/images"),
            code: Code::FirstRun,
            ..run("`workflow_run` after pull request 7, with its head checked out", "workflow_run", "refs/heads/main")
        },
        Run {
            payload: follows("pull_request", "main", "eve/images"),
            code: Code::DefaultBranch,
            ..run(
                "`workflow_run` after a fork's run, with the default branch checked out",
                "workflow_run",
                "refs/heads/main",
            )
        },
        Run {
            payload: comment.clone(),
            code: Code::DefaultBranch,
            ..run(
                "`issue_comment`, `pull_request_target` with the default branch checked out",
                "issue_comment",
                "refs/heads/main",
            )
        },
        Run {
            payload: comment,
            code: Code::Reviewed,
            ..run("the same on pull request 7 with its `reviewed-sha`", "issue_comment", "refs/heads/main")
        },
    ]
}

/// The program's decision for a run.
fn event_version(run: &Run) -> EventVersion {
    let mut payload = run.payload.clone();
    payload["repository"] = json!({"default_branch": "main", "full_name": "shop/images"});
    let variables = [
        ("GITHUB_EVENT_NAME", run.event),
        ("GITHUB_REF", run.reference),
        ("GITHUB_REPOSITORY", "shop/images"),
        ("GITHUB_RUN_ID", "42"),
        ("GITHUB_SHA", SHA),
        ("INPUT_REVIEWED-SHA", SHA),
    ];
    let workflow = Workflow::read(&Environment::of(variables), &payload);
    let names = Names { manifest: "shop".to_owned(), images: vec!["web".to_owned(), "api".to_owned()] };
    let other = |name: &&str| RepositoryTag { name: (*name).to_owned(), commit: TagCommit { sha: "99".to_owned() } };
    workflow.version(&names, run.code, || Ok(run.tags.iter().map(other).collect())).unwrap()
}

/// The version of the image `web` under a rule, as the table shows it; its latest version is 1.4.2.
fn version(run: &Run, rule: &VersionRule) -> String {
    let context = match event_version(run) {
        EventVersion::Bake { context, .. } => context,
        EventVersion::Nothing(_) => return "nothing is baked".to_owned(),
    };
    let record = ImageRecord {
        id: "ami-1".to_owned(),
        name: "shop/web/1.4.2".to_owned(),
        region: None,
        account: None,
        namespace: "shop".to_owned(),
        key: ImageKey::new("web"),
        version: Version::new(1, 4, 2),
        digest: Digest::from_text("sha256:aa"),
        tested: Some("2026-11-01T00:00:00Z".parse().unwrap()),
        created: None,
        available: true,
        architecture: None,
        parts: Vec::new(),
        size: None,
        tags: std::collections::BTreeMap::new(),
    };
    let variant = Variant {
        key: ImageKey::new("web"),
        route: Route::root(),
        source: SourceQuery::Id("ami-0".to_owned()),
        after: None,
        version: rule.clone(),
    };
    let options = Options { context, ..Options::default() };
    let now = "2026-11-20T00:00:00Z".parse().unwrap();
    let requested = requested_version(&options, &variant, &[record], now);
    requested.map_or_else(
        |error: Error| {
            assert!(error.message().contains("`version: release` needs one"), "{error}");
            "refused".to_owned()
        },
        |requested| format!("`{}`", requested.version),
    )
}

#[test]
fn the_table_of_versions_is_up_to_date() {
    let rules = [VersionRule::Auto, VersionRule::Fixed(Version::new(1, 5, 0)), VersionRule::Release];
    let mut table = String::from(
        "| Event | `version: auto`, after 1.4.2 | `version: 1.5.0` | `version: release` |\n|---|---|---|---|\n",
    );
    for run in runs() {
        let mut cells = rules.iter().map(|rule| version(&run, rule)).collect::<Vec<_>>();
        // The only version that depends on the clock.
        if let Some(time) = cells.iter_mut().find(|cell| cell.len() > "`1.4.3-dev.42`".len() && cell.contains("-dev."))
        {
            *time = "`1.4.3-dev.TIME`".to_owned();
        }
        table.push_str(&format!("| {} | {} |\n", run.says, cells.join(" | ")));
    }
    let path = repository().join("docs/action.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- versions -->\n", "<!-- end of versions -->");
    let (before, rest) = text.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let expected = format!("{before}{begin}{table}{end}{after}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let actual = std::fs::read_to_string(&path).unwrap();
    assert!(
        actual == expected,
        "docs/action.md is out of date: run UPDATE_DOCS=1 cargo nextest run -p ami-bake-github table"
    );
}

/// Independent of the table: only the default branch and tags make final versions.
#[test]
fn only_the_default_branch_and_tags_make_final_versions() {
    for run in runs() {
        let version = version(&run, &VersionRule::Auto);
        let is_final = !version.contains('-') && version != "nothing is baked";
        let may = match run.event {
            "push" | "workflow_dispatch" => run.reference == "refs/heads/main" || run.reference.contains("tags/"),
            "schedule" => true,
            "release" => run.payload["release"]["prerelease"] == false,
            "workflow_run" => run.payload["workflow_run"]["head_branch"] == "main" && run.code == Code::FirstRun,
            _ => false,
        };
        assert!(may || !is_final, "{}: {version}", run.says);
    }
}

#[test]
fn a_tag_of_one_image_leaves_the_others_alone() {
    let run = tag("", "refs/tags/api-v2.0.0");
    assert_eq!(version(&run, &VersionRule::Auto), "`1.4.3-dev.42`");
}

#[test]
fn how_a_tag_is_read_is_said() {
    let notices = |reference| match event_version(&tag("", reference)) {
        EventVersion::Bake { notices, .. } => notices.join("; "),
        EventVersion::Nothing(why) => why,
    };
    assert_eq!(notices("refs/tags/v2.0.0"), "");
    assert_eq!(notices("refs/tags/V2.0.0"), "Tag V2.0.0 is version 2.0.0");
    assert!(notices("refs/tags/v2026.01.05").contains("is version 2026.1.5"));
    assert!(notices("refs/tags/v2.4").contains("is version 2.4.0"));
    assert_eq!(notices("refs/tags/v2"), "Tag v2 is a floating tag, not a version");
    assert!(notices("refs/tags/docs-v9.9.9").ends_with("the names here are shop and its images"));
    assert!(notices("refs/tags/nightly").contains("is not a version"));
    // A failed look-up is an error, not an answer.
    let workflow = Workflow::read(&Environment::of([("GITHUB_REF", "refs/tags/v2.4")]), &json!({}));
    let error = workflow.version(&Names::default(), Code::Event, || Err(Error::internal("offline"))).unwrap_err();
    assert!(error.message().contains("cannot tell whether tag v2.4"), "{error}");
}
