//! Creating the comment, or bringing the one that is there up to date.

use ami_bake_core::Result;
use serde_json::json;

use super::body::marker;
use crate::api::{Api, Comment};

/// Comments that are looked through: thirty pages of a hundred.
const PAGES: usize = 30;

/// Where the comment is, and what was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Its address.
    pub url: String,
    /// What was done.
    pub done: Done,
}

/// What was done for a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It is new.
    Created,
    /// It was there with another text.
    Updated,
    /// It was there with this text.
    Unchanged,
}

/// Brings the comment of `key` on pull request `number` to `body`, which [`super::render`] made for the same key.
///
/// Asked again it changes nothing. Where two runs, or a lost answer, made two comments of a key, one is left.
///
/// # Errors
/// When GitHub refuses, with what to do. No bake should fail for it.
pub async fn upsert(api: &Api, number: u64, key: &str, body: &str) -> Result<Posted> {
    let what = format!("comment on pull request {number} of {}", api.repository());
    let there: Vec<Comment> = api.list(&what, &format!("issues/{number}/comments"), PAGES).await?;
    let marker = marker(key);
    let mut marked: Vec<Comment> = there.into_iter().filter(|comment| is_marked(&comment.body, &marker)).collect();
    if !marked.is_empty() {
        // Only what this very account wrote: anybody may quote a marker.
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

/// The marker is the last line, where nothing that is quoted in a report can stand. GitHub may hand CRLF back.
fn is_marked(body: &str, marker: &str) -> bool {
    body.trim_end().lines().last().is_some_and(|line| line.trim() == marker)
}
