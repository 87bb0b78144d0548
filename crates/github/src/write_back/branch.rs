//! Changes files on a branch, or proposes the change.

use ami_bake_core::{Error, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::file::{FileEdit, commit, read};
use crate::api::{Api, percent};

/// The branch that is to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// The default branch of the repository.
    Default,
    /// A branch by name.
    Named(String),
}

/// How files are changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BranchWrite {
    /// By commits on the branch.
    Commit,
    /// By a pull request from this branch, which is created or updated.
    PullRequest {
        /// Name of the branch.
        from: String,
        /// Title of the pull request.
        title: String,
        /// Text of the pull request, in Markdown.
        body: String,
    },
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrittenFiles {
    /// Nothing: the files are as they should be.
    Unchanged,
    /// Commits; the URL is that of the last one.
    Committed {
        /// The branch.
        branch: String,
        /// URL of the last commit.
        url: String,
    },
    /// A pull request.
    Proposed {
        /// Its number.
        number: u64,
        /// Its URL.
        url: String,
        /// False when an open one was updated.
        created: bool,
    },
}

#[derive(Deserialize)]
struct Repository {
    default_branch: String,
}

#[derive(Deserialize)]
struct Reference {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    sha: String,
}

#[derive(Deserialize)]
struct Pull {
    number: u64,
    html_url: String,
}

/// Checks that each file exists on the branch and can be edited.
///
/// # Errors
/// The first reason why one could not be changed.
pub async fn check_files(api: &Api, base: &Base, files: &[FileEdit]) -> Result<()> {
    let branch = name(api, base).await?;
    for file in files {
        let present = read(api, &file.path, &branch).await?;
        (file.edit)(&present.text)?;
    }
    Ok(())
}

/// Changes files.
///
/// # Errors
/// When a file can't be edited, or the API refuses. Files before it are changed.
pub async fn write_files(api: &Api, base: &Base, how: &BranchWrite, files: &[FileEdit]) -> Result<WrittenFiles> {
    let branch = name(api, base).await?;
    match how {
        BranchWrite::Commit => {
            let mut last = None;
            for file in files {
                last = commit(api, &branch, file).await?.or(last);
            }
            Ok(last.map_or(WrittenFiles::Unchanged, |url| WrittenFiles::Committed { branch, url }))
        }
        BranchWrite::PullRequest { from, title, body } => propose(api, &branch, from, title, body, files).await,
    }
}

async fn propose(
    api: &Api,
    base: &str,
    from: &str,
    title: &str,
    body: &str,
    files: &[FileEdit],
) -> Result<WrittenFiles> {
    let open = open_pull(api, base, from).await?;
    if open.is_none() {
        // What the base has already needs no pull request.
        let mut is_done = true;
        for file in files {
            let present = read(api, &file.path, base).await?;
            is_done &= (file.edit)(&present.text)? == present.text;
        }
        if is_done {
            return Ok(WrittenFiles::Unchanged);
        }
        // A branch that is left of a merged or closed pull request begins again at the base.
        restart(api, base, from).await?;
    }
    for file in files {
        commit(api, from, file).await?;
    }
    let (text, pull) = (json!({"title": title, "body": body}), open);
    if let Some(pull) = pull {
        let what = format!("could not update pull request {} of {}", pull.number, api.repository());
        let _: Value = api.patch(&what, &format!("pulls/{}", pull.number), &text).await?;
        return Ok(WrittenFiles::Proposed { number: pull.number, url: pull.html_url, created: false });
    }
    let what = format!("could not create a pull request from {from} in {}", api.repository());
    let mut request = text;
    request["head"] = from.into();
    request["base"] = base.into();
    let created: Result<Pull> = api.post(&what, "pulls", &request).await;
    match created {
        Ok(pull) => Ok(WrittenFiles::Proposed { number: pull.number, url: pull.html_url, created: true }),
        // Another job of the same run may have been faster.
        Err(error) => match open_pull(api, base, from).await? {
            Some(pull) => Ok(WrittenFiles::Proposed { number: pull.number, url: pull.html_url, created: false }),
            None => Err(error.help(
                "The job needs `permissions: {contents: write, pull-requests: write}`, and the repository's settings must allow \
                 it: Actions, General, \"Allow GitHub Actions to create and approve pull requests\".",
            )),
        },
    }
}

async fn open_pull(api: &Api, base: &str, from: &str) -> Result<Option<Pull>> {
    let owner = api.repository().split('/').next().unwrap_or_default();
    let (head, base) = (percent(&format!("{owner}:{from}"), b""), percent(base, b""));
    let what = format!("could not look for pull requests from {from} in {}", api.repository());
    let open: Vec<Pull> = api.list(&what, &format!("pulls?state=open&head={head}&base={base}"), 1).await?;
    Ok(open.into_iter().next())
}

/// Lets a branch begin at the head of the base.
async fn restart(api: &Api, base: &str, from: &str) -> Result<()> {
    let what = format!("could not create branch {from} in {}", api.repository());
    let head = |branch: &str| format!("git/ref/heads/{}", percent(branch, b"/"));
    let tip: Option<Reference> = api.find(&what, &head(base)).await?;
    let tip = tip.ok_or_else(|| {
        Error::preflight(format!("{} has no branch {base}", api.repository()))
            .help("Correct `branch` in `publish.write`.")
    })?;
    let there: Option<Reference> = api.find(&what, &head(from)).await?;
    let _: Value = if there.is_some() {
        let body = json!({"sha": tip.object.sha, "force": true});
        api.patch(&what, &format!("git/refs/heads/{}", percent(from, b"/")), &body).await?
    } else {
        let body = json!({"ref": format!("refs/heads/{from}"), "sha": tip.object.sha});
        api.post(&what, "git/refs", &body).await?
    };
    Ok(())
}

async fn name(api: &Api, base: &Base) -> Result<String> {
    match base {
        Base::Named(name) => Ok(name.clone()),
        Base::Default => {
            let what = format!("could not look up the default branch of {}", api.repository());
            let repository: Repository = api.get(&what, "").await?;
            Ok(repository.default_branch)
        }
    }
}
