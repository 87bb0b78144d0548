//! Writes into the repository: commits, pull requests and variables. GitHub's own description validates each request.

#![expect(clippy::unwrap_used, reason = "tests end where they fail")]

use ami_bake_core::{Error, Result};
use ami_bake_github::api::{Api, Settings};
use ami_bake_github::runner::Environment;
use ami_bake_github::write_back::{
    Base, BranchWrite, FileEdit, WrittenFiles, check_files, check_variable, write_files, write_variable,
};
use ami_bake_testkit::github::{ApiFault, GitHub};

const FILE: &str = "infra/prod vars.tfvars";

fn api(github: &GitHub) -> Api {
    let variables = github.variables();
    let environment = Environment::of(variables.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    Api::new(Settings::of(&environment, None, None).unwrap()).unwrap()
}

/// Replaces `old` by the ID.
fn edit(path: &str, id: &str) -> FileEdit {
    let id = id.to_owned();
    let edit = move |text: &str| -> Result<String> {
        let (key, _) = text.split_once('=').ok_or_else(|| Error::usage("no such key"))?;
        Ok(format!("{key}={id}"))
    };
    FileEdit { path: path.to_owned(), what: "web 1.4.0".to_owned(), edit: Box::new(edit) }
}

fn proposal() -> BranchWrite {
    let (from, title) = ("ami-bake/shop".to_owned(), "Update shop".to_owned());
    BranchWrite::PullRequest { from, title, body: "web".to_owned() }
}

#[tokio::test]
async fn a_pull_request_is_created_once_and_then_updated() {
    let github = GitHub::new();
    github.write_file("main", FILE, "ami=old");
    let (api, base) = (api(&github), Base::Default);
    check_files(&api, &base, &[edit(FILE, "ami-1")]).await.unwrap();
    assert!(github.requests().iter().all(|request| request.starts_with("GET ")), "{:?}", github.requests());

    let first = write_files(&api, &base, &proposal(), &[edit(FILE, "ami-1")]).await.unwrap();
    assert!(matches!(first, WrittenFiles::Proposed { created: true, .. }), "{first:?}");
    assert_eq!(github.file_of("ami-bake/shop", FILE).as_deref(), Some("ami=ami-1"));
    assert_eq!(github.file_of("main", FILE).as_deref(), Some("ami=old"));
    assert_eq!(github.pulls(), [("Update shop".to_owned(), "web".to_owned())]);

    // While it is open, the next image goes on its branch.
    let second = write_files(&api, &base, &proposal(), &[edit(FILE, "ami-2")]).await.unwrap();
    assert!(matches!(second, WrittenFiles::Proposed { created: false, .. }), "{second:?}");
    assert_eq!((github.pulls().len(), github.file_of("ami-bake/shop", FILE).unwrap().as_str()), (1, "ami=ami-2"));

    // Merged, with the branch left behind: nothing to propose, and the next one begins at the base.
    github.write_file("main", FILE, "ami=ami-2");
    github.write_file("main", "other", "x");
    github.close("nothing");
    let stale = github.file_of("ami-bake/shop", "other");
    assert_eq!(stale, None);
    github.close("ami-bake/shop");
    github.write_file("ami-bake/shop", FILE, "ami=stale");
    let same = write_files(&api, &base, &proposal(), &[edit(FILE, "ami-2")]).await.unwrap();
    assert_eq!((same, github.pulls().len()), (WrittenFiles::Unchanged, 0));
    write_files(&api, &base, &proposal(), &[edit(FILE, "ami-3")]).await.unwrap();
    assert_eq!(github.file_of("ami-bake/shop", "other").as_deref(), Some("x"));
}

#[tokio::test]
async fn a_commit_is_made_again_when_another_job_was_faster() {
    let github = GitHub::new();
    github.write_file("release", FILE, "ami=old");
    let (api, base) = (api(&github), Base::Named("release".to_owned()));
    let conflict = ApiFault { times: 2, ..ApiFault::always("PUT", "prod vars.tfvars", 409, "does not match") };
    github.refuse(conflict);
    let done = write_files(&api, &base, &BranchWrite::Commit, &[edit(FILE, "ami-1")]).await.unwrap();
    assert!(
        matches!(done, WrittenFiles::Committed { ref branch, ref url } if branch == "release" && url.starts_with("http"))
    );
    assert_eq!(github.file_of("release", FILE).as_deref(), Some("ami=ami-1"));
    let again = write_files(&api, &base, &BranchWrite::Commit, &[edit(FILE, "ami-1")]).await.unwrap();
    assert_eq!(again, WrittenFiles::Unchanged);
}

#[tokio::test]
async fn what_is_refused_says_what_to_do() {
    let github = GitHub::new();
    github.write_file("main", FILE, "no equals sign");
    let (api, base) = (api(&github), Base::Default);
    let said = |error: Error| format!("{} {}", error.message(), error.help_text().unwrap_or_default());
    let missing = said(check_files(&api, &base, &[edit("none.json", "x")]).await.unwrap_err());
    assert!(missing.contains("branch main of shop/images has no file none.json"), "{missing}");
    let wrong = said(check_files(&api, &base, &[edit(FILE, "x")]).await.unwrap_err());
    assert!(wrong.contains("no such key"), "{wrong}");

    github.write_file("main", FILE, "ami=old");
    let forbidden = "GitHub Actions is not permitted to create or approve pull requests.";
    github.refuse(ApiFault::always("POST", "/pulls", 403, forbidden));
    let refused = said(write_files(&api, &base, &proposal(), &[edit(FILE, "ami-1")]).await.unwrap_err());
    assert!(refused.contains("not permitted") && refused.contains("pull-requests: write"), "{refused}");
}

#[tokio::test]
async fn a_variable_is_created_changed_and_left_alone() {
    let github = GitHub::new();
    let api = api(&github);
    check_variable(&api, "AMI_ID").await.unwrap();
    assert!(write_variable(&api, "AMI_ID", "ami-1").await.unwrap());
    assert!(write_variable(&api, "AMI_ID", "ami-2").await.unwrap());
    assert!(!write_variable(&api, "AMI_ID", "ami-2").await.unwrap());
    assert_eq!(github.variable("AMI_ID").as_deref(), Some("ami-2"));

    github.refuse(ApiFault::always("GET", "/actions/variables/OTHER", 403, "Resource not accessible by integration"));
    let error = check_variable(&api, "OTHER").await.unwrap_err();
    assert!(error.help_text().unwrap().contains("Variables: write"), "{error:?}");
}
