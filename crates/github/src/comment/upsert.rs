//! Creates or updates the comment.

use ami_bake_core::Result;
use serde_json::json;

use super::body::marker;
use crate::api::{Api, Comment};

/// Pages of a hundred comments that are searched.
const PAGES: usize = 30;

/// A comment that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Its URL.
    pub url: String,
    /// Whether the comment was created, updated or left.
    pub done: Done,
}

/// Change made to a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It is new.
    Created,
    /// It existed with another text.
    Updated,
    /// It existed with this text.
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
    let what = format!("could not comment on pull request {number} of {}", api.repository());
    let there: Vec<Comment> = api.list(&what, &format!("issues/{number}/comments"), PAGES).await?;
    let marker = marker(key);
    let mut marked: Vec<Comment> = there.into_iter().filter(|comment| is_marked(&comment.body, &marker)).collect();
    if !marked.is_empty() {
        // Only comments of this account: anybody can quote a marker.
        let own = api.viewer().await?;
        marked.retain(|comment| comment.user.as_ref().is_some_and(|user| user.login == own));
    }
    let mut marked = marked.into_iter();
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

/// The marker must be the last line, which nothing quoted in a report can be. GitHub may return CRLF.
fn is_marked(body: &str, marker: &str) -> bool {
    body.trim_end().lines().last().is_some_and(|line| line.trim() == marker)
}
