//! `publish.write`: IDs in files and variables of the repository.

use ami_bake_testkit::github::{ApiFault, GitHub, TOKEN};
use serde_json::{Value, json};

use crate::action::{PROGRAM, on, with_store};
use crate::fixture::Fixture;

const MANIFEST: &str = "format: 1
name: shop
platform: local
images:
  web:
    source: {local: host}
    build: [{run: 'echo hello > /srv/index'}]
    publish:
      write:
        - {file: infra/prod.tfvars, pointer: /ami_id}
        - {file: deploy/values.yml, pointer: /image/id, as: commit, branch: release}
        - {variable: AMI_ID}
";

const TFVARS: &str = "# The image of the shop.\nami_id   = \"none\" # by ami-bake\nsize = 1\n";

fn repository() -> GitHub {
    let github = GitHub::new();
    github.write_file("main", "infra/prod.tfvars", TFVARS);
    github.write_file("release", "deploy/values.yml", "image:\n  id: none\n  other: x\n");
    github
}

#[test]
fn a_published_image_is_written_and_the_summary_says_where() {
    let github = repository();
    let job = on(&github, with_store(MANIFEST));
    let main = job.main(PROGRAM, &[("token", TOKEN)]).exits(0);
    let id = main.output("ami-id").to_owned();
    assert_eq!(github.file_of("ami-bake/shop", "infra/prod.tfvars").unwrap(), TFVARS.replace("none", &id));
    assert_eq!(github.file_of("main", "infra/prod.tfvars").unwrap(), TFVARS);
    assert_eq!(github.file_of("release", "deploy/values.yml").unwrap(), format!("image:\n  id: {id}\n  other: x\n"));
    assert_eq!(github.variable("AMI_ID").as_deref(), Some(id.as_str()));
    let (title, body) = github.pulls().remove(0);
    assert!(main.output("pull-request-url").contains("/pull/"), "{:?}", main.outputs);
    assert!(title == "Update images of shop" && body.contains(&id) && body.contains("/actions/runs/4711"), "{body}");
    let summary = main.summary;
    assert!(summary.contains("Written to the repository") && summary.contains("Created pull request"), "{summary}");
    assert!(
        summary.contains("starts no workflows") && summary.contains("AMI&#95;ID") | summary.contains("AMI_ID"),
        "{summary}"
    );

    // The same image again: nothing is left to write.
    let again = job.main(PROGRAM, &[("token", TOKEN)]).exits(0);
    assert_eq!(again.output("changed"), "false");
    assert!(!again.summary.contains("branch release"), "{}", again.summary);
}

/// Nothing is baked that could not be written afterwards.
#[test]
fn what_can_not_be_written_is_refused_before_the_bake() {
    let bakes_nothing = |github: &GitHub, manifest: &str, says: &str| {
        let job = on(github, with_store(manifest));
        let main = job.main(PROGRAM, &[("token", TOKEN)]).exits(4);
        assert!(main.annotations("error")[0].contains(says), "{:?}", main.annotations("error"));
        assert!(!main.outputs.contains_key("ami-id") && main.summary.contains("bake failed"), "{}", main.summary);
    };
    let github = repository();
    let forbidden = "Resource not accessible by integration";
    github.refuse(ApiFault::always("GET", "/actions/variables/AMI_ID", 403, forbidden));
    bakes_nothing(&github, MANIFEST, "Variables: write");
    let without = MANIFEST.replace("        - {variable: AMI_ID}\n", "");
    bakes_nothing(&repository(), &without.replace("/ami_id", "/no_key"), "no such key");
    bakes_nothing(&repository(), &without.replace("prod.tfvars", "none.tfvars"), "has no file infra/none.tfvars");
}

/// A pull request makes a pre-release, which is not published: nothing is written, and no token for variables is needed.
#[test]
fn a_pull_request_writes_nothing() {
    let github = repository();
    github.refuse(ApiFault::always("GET", "/actions/variables/AMI_ID", 403, "Resource not accessible by integration"));
    let event = json!({
        "repository": {"full_name": "shop/images", "default_branch": "main"},
        "pull_request": {"number": 7, "head": {"sha": "1a2b3c4d5e6f", "repo": {"full_name": "shop/images"}}},
    });
    let job = on(&github, with_store(MANIFEST).event("pull_request", "refs/pull/7/merge", &event));
    job.main(PROGRAM, &[("token", TOKEN), ("comment", "never")]).exits(0);
    assert_eq!(github.file_of("ami-bake/shop", "infra/prod.tfvars"), None);
}

/// The image is there, but what depends on it does not know: the step fails, and says what to do.
#[test]
fn a_failed_write_fails_the_step_after_the_others_are_written() {
    let github = repository();
    let forbidden = "GitHub Actions is not permitted to create or approve pull requests.";
    github.refuse(ApiFault::always("POST", "/pulls", 403, forbidden));
    let job = on(&github, with_store(MANIFEST));
    let main = job.main(PROGRAM, &[("token", TOKEN)]).exits(7);
    let errors = main.annotations("error");
    assert!(errors[0].contains("not permitted") && errors[0].contains("pull-requests: write"), "{errors:?}");
    assert!(
        main.summary.contains("❌ Failed") && main.summary.contains("could not create a pull request"),
        "{}",
        main.summary
    );
    assert_eq!(github.variable("AMI_ID").as_deref(), Some(main.output("ami-id")));
    assert!(github.file_of("release", "deploy/values.yml").unwrap().contains(main.output("ami-id")));
    let report = std::fs::read_to_string(job.path("workspace/bake-report.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&report).unwrap()["exit-code"], 7);
}

#[test]
fn a_place_is_complete_and_used_once() {
    let check = |write: &str| {
        let manifest = MANIFEST.split("      write:").next().unwrap();
        Fixture::with(&format!("{manifest}      write: {write}\n")).run(&["check"]).exits(3).stderr
    };
    for (write, says) in [
        ("{file: a.tfvars}", "`file` needs a `pointer`"),
        ("{pointer: /a}", "`pointer` needs a `file`"),
        ("{region: eu-west-1}", "names no place"),
        ("{file: a.json, pointer: /a, variable: A}", "mutually exclusive"),
        ("{variable: A, as: commit}", "are for files"),
        ("{file: a.ini, pointer: /a}", "is not a valid data file"),
        ("{file: ../a.json, pointer: /a}", "is not a valid data file"),
        ("{file: a/../../b.json, pointer: /a}", "is not a valid data file"),
        ("{file: .git/x.json, pointer: /a}", "is not a valid data file"),
        ("{file: a.json, pointer: a}", "is not a valid JSON pointer"),
        ("{variable: GITHUB_X}", "is not a valid repository variable name"),
        ("[{variable: A}, {variable: A}]", "the same place twice"),
    ] {
        let said = check(write);
        assert!(said.contains(says) && said.contains("bake.yml:9"), "{write}: {said}");
    }
    let said = Fixture::with(&MANIFEST.replace("      write:", "      regions: [us-east-1]\n      write:"));
    let said = said.run(&["check"]).exits(3).stderr;
    assert!(said.contains("Supported keys: `name`, `description`, `tags`, `keep`, `if` and `write`."), "{said}");
    // A trial on another platform is not what the repository waits for.
    let foreign = Fixture::with(&MANIFEST.replace("platform: local", "platform: docker"));
    let checked = foreign.run(&["check", "--platform", "local"]).exits(0);
    assert!(checked.stderr.contains("ignored: not supported on `local`: `publish.write`"), "{}", checked.stderr);
    let outside = Fixture::with(&MANIFEST.replace("        - {variable: AMI_ID}\n", ""));
    let baked = outside.run(&["bake", "--store", "store"]).exits(0);
    assert!(baked.stderr.contains("`publish.write` is skipped"), "{}", baked.stderr);
}
