//! Which pull request a run is about.

use ami_bake_core::{Error, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::api::{Api, percent};

/// A pull request that gets a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// True when its code comes from another repository.
    pub fork: bool,
    /// The address of the run that baked, where it is another than this one.
    pub run_url: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    number: u64,
    head: Head,
}

#[derive(Deserialize)]
struct Head {
    sha: String,
}

/// The pull request of an event: of `pull_request` its own; of `workflow_run` the one of the run before, which is looked
/// for by its head, since the event names none of a fork. None where the run is about none, or the pull request has
/// moved on.
///
/// # Errors
/// When GitHub can't be asked.
pub async fn of_event(api: &Api, event: &Value) -> Result<Option<Pull>> {
    if let Some(number) = event["pull_request"]["number"].as_u64() {
        let base = event["repository"]["full_name"].as_str();
        let fork = event["pull_request"]["head"]["repo"]["full_name"].as_str() != base;
        return Ok(Some(Pull { number, fork, run_url: None }));
    }
    let run = &event["workflow_run"];
    if !run["event"].as_str().is_some_and(|event| event.starts_with("pull_request")) {
        return Ok(None);
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (Some(sha), Some(branch), Some(owner)) =
        (text(&run["head_sha"]), text(&run["head_branch"]), text(&run["head_repository"]["owner"]["login"]))
    else {
        return Err(Error::usage("the event names no head of the pull request")
            .help("Run this on `workflow_run`, or give --pull-request NUMBER."));
    };
    let fork = run["head_repository"]["full_name"] != event["repository"]["full_name"];
    let run_url = text(&run["html_url"]);
    let head = percent(&format!("{owner}:{branch}"), b"");
    let what = format!("find the pull request of {owner}:{branch} in {}", api.repository());
    let open: Vec<Listed> = api.list(&what, &format!("pulls?state=open&head={head}"), 1).await?;
    let number = open.into_iter().find(|pull| pull.head.sha == sha).map(|pull| pull.number);
    Ok(number.map(|number| Pull { number, fork, run_url }))
}
