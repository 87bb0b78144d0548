//! Files of a branch.

use ami_bake_core::{Error, ErrorKind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use crate::api::{Api, percent};

/// Attempts to change a file while other jobs change it, too.
const ATTEMPTS: usize = 5;

/// A change of a file.
pub struct FileEdit {
    /// Path in the repository.
    pub path: String,
    /// What is written, for the message of the commit: `web 1.4.0 (ami-…)`.
    pub what: String,
    /// The new text for the present one.
    pub edit: Box<Edit>,
}

/// The new text of a file for the present one.
pub type Edit = dyn Fn(&str) -> Result<String> + Send + Sync;

#[derive(Deserialize)]
struct BlobAnswer {
    #[serde(default)]
    content: String,
    #[serde(default)]
    encoding: String,
    sha: String,
}

#[derive(Deserialize)]
struct Written {
    commit: Commit,
}

#[derive(Deserialize)]
struct Commit {
    #[serde(default)]
    html_url: String,
}

/// A file as it is on a branch.
pub(super) struct RepositoryFile {
    /// Its text.
    pub(super) text: String,
    /// SHA of its blob.
    sha: String,
}

/// Reads a file of a branch.
///
/// # Errors
/// When it does not exist, is not a text of less than a megabyte, or the API fails.
pub(super) async fn read(api: &Api, path: &str, branch: &str) -> Result<RepositoryFile> {
    let what = format!("could not read {path} of branch {branch} in {}", api.repository());
    let found: Option<BlobAnswer> = api.find(&what, &format!("{}?ref={}", route(path), percent(branch, b""))).await?;
    let Some(found) = found else {
        return Err(Error::preflight(format!("branch {branch} of {} has no file {path}", api.repository())).help(
            "Add the file with the key and any value, or correct `publish.write`. The token needs `contents: read`.",
        ));
    };
    let unreadable = || {
        Error::preflight(format!("{what}: it is not a text file of less than a megabyte"))
            .help("Correct `publish.write`.")
    };
    if found.encoding != "base64" {
        return Err(unreadable());
    }
    let joined: String = found.content.split_whitespace().collect();
    let bytes = STANDARD.decode(joined).map_err(|_| unreadable())?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable())?;
    Ok(RepositoryFile { text, sha: found.sha })
}

/// Commits a change of a file to a branch. Returns the URL of the commit; `None` when the file is as it should be.
///
/// # Errors
/// When the file can't be edited, other jobs keep changing it, or the API refuses.
pub(super) async fn commit(api: &Api, branch: &str, file: &FileEdit) -> Result<Option<String>> {
    let what = format!("could not write {} to branch {branch} of {}", file.path, api.repository());
    for _ in 0..ATTEMPTS {
        let present = read(api, &file.path, branch).await?;
        let text = (file.edit)(&present.text)?;
        if text == present.text {
            return Ok(None);
        }
        let body = json!({
            "message": format!("Update {}: {}", file.path, file.what),
            "content": STANDARD.encode(&text),
            "sha": present.sha,
            "branch": branch,
        });
        // GitHub answers 409 when the file or the branch has changed in between.
        let written: Option<Written> = api.put_unless_changed(&what, &route(&file.path), &body).await?;
        if let Some(written) = written {
            return Ok(Some(written.commit.html_url));
        }
    }
    Err(Error::new(ErrorKind::Publish, format!("{what}: other jobs keep changing it"))
        .help("Run `ami-bake publish` to write it again."))
}

fn route(path: &str) -> String {
    format!("contents/{}", percent(path, b"/"))
}
