//! Creates or updates the comment.

use ami_bake_core::Result;
use serde_json::json;

use super::body::marker;
use crate::api::{Api, Comment};

/// Maximum number of pages of a hundred comments to search.
const PAGES: usize = 30;

/// A comment that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// URL of the comment.
    pub url: String,
    /// Whether the comment was created, updated or left unchanged.
    pub done: Done,
}

/// Change made to a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// The comment is new.
    Created,
    /// The comment existed with another text.
    Updated,
    /// The comment existed with this text.
    Unchanged,
}

/// Creates or updates the comment of `key` on pull request `number`. [`super::render`] makes the `body` for the same
/// key.
///
/// It is idempotent. When two runs or a lost answer created two comments of a key, one of them is deleted.
///
/// # Errors
/// When the API fails.
pub async fn upsert(api: &Api, number: u64, key: &str, body: &str) -> Result<Posted> {
    let what = cannot(api, number);
    let mut marked = own(api, number, key).await?.into_iter();
    let Some(first) = marked.next() else {
        let made: Comment = api.post(&what, &format!("issues/{number}/comments"), &json!({"body": body})).await?;
        return Ok(Posted { url: made.html_url, done: Done::Created });
    };
    let done = if first.body.trim_end() == body.trim_end() {
        Done::Unchanged
    } else {
        let _: Comment = api.patch(&what, &format!("issues/comments/{}", first.id), &json!({"body": body})).await?;
        Done::Updated
    };
    for double in marked {
        api.delete(&what, &format!("issues/comments/{}", double.id)).await?;
    }
    Ok(Posted { url: first.html_url, done })
}

/// What to do with the comment of an earlier run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Previous {
    /// Update it.
    Update,
    /// Delete it.
    Delete,
    /// Hide it as outdated, and never update it again.
    Hide,
}

/// Handles the previous comment of `key`, before a new one is written.
///
/// # Errors
/// When the API fails.
pub async fn retire(api: &Api, number: u64, key: &str, previous: Previous) -> Result<()> {
    if previous == Previous::Update {
        return Ok(());
    }
    let what = cannot(api, number);
    for old in own(api, number, key).await? {
        let route = format!("issues/comments/{}", old.id);
        if previous == Previous::Delete {
            api.delete(&what, &route).await?;
            continue;
        }
        // Without its marker it is not found again.
        let body = old.body.replace(&marker(key), "<!-- ami-bake: outdated -->");
        let _: Comment = api.patch(&what, &route, &json!({"body": body})).await?;
        if let Some(node) = &old.node_id {
            api.minimize(&what, node).await?;
        }
    }
    Ok(())
}

fn cannot(api: &Api, number: u64) -> String {
    format!("could not comment on pull request {number} of {}", api.repository())
}

/// This account's comments of `key`, the oldest first.
async fn own(api: &Api, number: u64, key: &str) -> Result<Vec<Comment>> {
    let what = cannot(api, number);
    let there: Vec<Comment> = api.list(&what, &format!("issues/{number}/comments"), PAGES).await?;
    let marker = marker(key);
    let mut marked: Vec<Comment> = there.into_iter().filter(|comment| is_marked(&comment.body, &marker)).collect();
    if !marked.is_empty() {
        // Only comments of this account count: anybody can quote a marker.
        let own = api.viewer().await?;
        marked.retain(|comment| comment.user.as_ref().is_some_and(|user| user.login == own));
    }
    Ok(marked)
}

/// Whether the marker is the last line, which no text quoted in a report can be. GitHub may return CRLF.
fn is_marked(body: &str, marker: &str) -> bool {
    body.trim_end().lines().last().is_some_and(|line| line.trim() == marker)
}
