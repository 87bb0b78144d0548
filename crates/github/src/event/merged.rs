//! Finds the pull request that was merged as a commit of the default branch.

use ami_bake_core::Result;
use ami_bake_core::version::Bump;
use serde::Deserialize;

use super::bump;
use crate::api::Api;

#[derive(Deserialize)]
struct Pull {
    merged_at: Option<String>,
    #[serde(default)]
    labels: Vec<Label>,
}

#[derive(Deserialize)]
struct Label {
    name: String,
}

/// The version part in the labels of the pull request that was merged as this commit (GitHub REST API: "List pull
/// requests associated with a commit").
///
/// # Errors
/// When the API fails.
pub async fn bump_of_commit(api: &Api, sha: &str) -> Result<Option<Bump>> {
    let what = format!("could not find the pull request of commit {sha} in {}", api.repository());
    let pulls: Vec<Pull> = api.list(&what, &format!("commits/{sha}/pulls"), 1).await?;
    let merged = pulls.iter().filter(|pull| pull.merged_at.is_some());
    Ok(bump::of_labels(merged.flat_map(|pull| &pull.labels).map(|label| label.name.as_str())))
}
