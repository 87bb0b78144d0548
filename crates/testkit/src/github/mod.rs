//! A GitHub for tests: a server on loopback with comments, releases and pull requests, which validates every request by
//! GitHub's own OpenAPI description and answers with that description's own examples.
//!
//! The paths are those of a GitHub Enterprise Server: the API below `/api/v3`, GraphQL and uploads beside it, and files
//! of releases on another host. When it is dropped it fails the test if a request did anything that the description
//! does not allow.

mod answer;
mod contract;
mod request;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use self::contract::Contract;
use self::request::Request;

use crate::http::Server;

/// The repository that the server has.
pub const REPOSITORY: &str = "shop/images";
/// The login of the token's owner.
pub const VIEWER: &str = "github-actions[bot]";
/// The token that the server accepts.
pub const TOKEN: &str = "ghs_stand_in_0123456789";

/// Requests that are answered with a refusal.
#[derive(Debug, Clone)]
pub struct ApiFault {
    /// HTTP method of the requests.
    pub method: &'static str,
    /// End of the path, before the query.
    pub path: &'static str,
    /// HTTP status of the answer.
    pub status: u16,
    /// A header of the answer.
    pub header: Option<(&'static str, &'static str)>,
    /// Message in the answer.
    pub message: &'static str,
    /// How many requests are answered this way.
    pub times: usize,
    /// True when the request takes effect and only its answer is lost.
    pub done: bool,
}

impl ApiFault {
    /// A refusal of all such requests.
    pub fn always(method: &'static str, path: &'static str, status: u16, message: &'static str) -> Self {
        Self { method, path, status, header: None, message, times: usize::MAX, done: false }
    }
}

/// A branch: its head, and its files by path.
#[derive(Debug, Clone, Default)]
struct Branch {
    sha: String,
    files: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct State {
    comments: Vec<Value>,
    releases: Vec<Value>,
    pulls: Vec<Value>,
    merged: Vec<Value>,
    tags: Vec<Value>,
    minimized: usize,
    /// Head of each branch, and its files.
    branches: BTreeMap<String, Branch>,
    variables: BTreeMap<String, String>,
    files: Vec<(u64, String)>,
    next: u64,
    faults: Vec<ApiFault>,
    requests: Vec<String>,
    violations: Vec<String>,
    base: String,
    storage: String,
}

/// The server and its state.
#[derive(Debug)]
pub struct GitHub {
    state: Arc<Mutex<State>>,
    server: Server,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl GitHub {
    /// Starts a server.
    ///
    /// # Panics
    /// When `.ci/setup` has not made its description ready, or no port is free.
    #[expect(clippy::new_without_default, reason = "a server is started")]
    pub fn new() -> Self {
        let contract = Contract::load();
        let state = Arc::new(Mutex::new(State { next: 1000, ..State::default() }));
        let for_api = Arc::clone(&state);
        let server = Server::serving(move |_, text| answer::api(&mut lock(&for_api), &contract, &Request::read(text)));
        let for_files = Arc::clone(&state);
        let storage = Server::serving(move |_, text| answer::storage(&mut lock(&for_files), &Request::read(text)));
        {
            let mut state = lock(&state);
            state.base = server.address();
            state.storage = storage.address();
        }
        Self { state, server }
    }

    /// The environment variables of a workflow step that uses this server.
    pub fn variables(&self) -> Vec<(String, String)> {
        let base = self.server.address();
        [
            ("GITHUB_API_URL", format!("{base}/api/v3")),
            ("GITHUB_GRAPHQL_URL", format!("{base}/api/graphql")),
            ("GITHUB_SERVER_URL", base),
            ("GITHUB_REPOSITORY", REPOSITORY.to_owned()),
            ("GITHUB_TOKEN", TOKEN.to_owned()),
            // In tests an outage ends at once or never, so waits are pointless.
            ("AMI_BAKE_GITHUB_RETRY", "0".to_owned()),
            ("NO_PROXY", "127.0.0.1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// The server's address, which can also be used as a proxy address.
    pub fn address(&self) -> String {
        self.server.address()
    }

    /// Adds a comment by `author`.
    pub fn add_comment(&self, pull: u64, author: &str, body: &str) {
        let mut state = lock(&self.state);
        let comment = answer::comment(&mut state, pull, author, body);
        state.comments.push(comment);
    }

    /// Number of comments that were hidden as outdated.
    pub fn minimized(&self) -> usize {
        lock(&self.state).minimized
    }

    /// Authors and texts of the comments.
    pub fn comments(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        lock(&self.state).comments.iter().map(|one| (text(&one["user"]["login"]), text(&one["body"]))).collect()
    }

    /// Adds a release with these notes as the newest. `with` overrides fields: `{"draft": true}`.
    pub fn add_release(&self, tag: &str, notes: &str, with: &Value) {
        let mut state = lock(&self.state);
        let release = answer::release(&mut state, tag, notes, with);
        state.releases.insert(0, release);
    }

    /// Adds a tag that points to a commit.
    pub fn add_tag(&self, name: &str, sha: &str) {
        lock(&self.state).tags.push(json!({"name": name, "commit": {"sha": sha}}));
    }

    /// Adds a file to a release.
    ///
    /// # Panics
    /// When there is no such release.
    pub fn add_file(&self, tag: &str, name: &str, content: &str) {
        let mut state = lock(&self.state);
        let release = state.releases.iter().find(|one| one["tag_name"] == tag).unwrap()["id"].as_u64().unwrap();
        answer::add_file(&mut state, release, name, content);
    }

    /// A release as the API answers it.
    ///
    /// # Panics
    /// When there is none.
    pub fn release(&self, tag: &str) -> Value {
        let state = lock(&self.state);
        state.releases.iter().find(|release| release["tag_name"] == tag).unwrap().clone()
    }

    /// The notes of a release.
    ///
    /// # Panics
    /// When there is no such release.
    pub fn notes(&self, tag: &str) -> String {
        let state = lock(&self.state);
        let release = state.releases.iter().find(|one| one["tag_name"] == tag).unwrap();
        release["body"].as_str().unwrap_or_default().to_owned()
    }

    /// The content of a release's file.
    pub fn file(&self, tag: &str, name: &str) -> Option<String> {
        let state = lock(&self.state);
        let release = state.releases.iter().find(|one| one["tag_name"] == tag)?;
        let id = release["assets"].as_array()?.iter().find(|asset| asset["name"] == name)?["id"].as_u64()?;
        state.files.iter().find(|(file, _)| *file == id).map(|(_, content)| content.clone())
    }

    /// Adds an open pull request.
    pub fn add_pull(&self, number: u64, head: &str, sha: &str) {
        let pull = json!({"number": number, "state": "open", "label": head, "sha": sha});
        lock(&self.state).pulls.push(pull);
    }

    /// Adds a pull request that was merged as the commit `sha`.
    pub fn add_merged(&self, sha: &str, label: &str) {
        let says = json!({"merged_at": "2026-11-20T10:00:00Z", "labels": [{"name": label}]});
        lock(&self.state).merged.push(json!({"sha": sha, "says": says}));
    }

    /// Writes a file to a branch, which is created if necessary.
    pub fn write_file(&self, branch: &str, path: &str, text: &str) {
        let mut state = lock(&self.state);
        answer::put_file(&mut state, branch, path, text);
    }

    /// A file of a branch.
    pub fn file_of(&self, branch: &str, path: &str) -> Option<String> {
        lock(&self.state).branches.get(branch)?.files.get(path).cloned()
    }

    /// Deletes a branch, and closes its pull requests.
    pub fn close(&self, branch: &str) {
        let mut state = lock(&self.state);
        state.branches.remove(branch);
        let label = format!("{}:{branch}", REPOSITORY.split('/').next().unwrap_or_default());
        state.pulls.retain(|pull| pull["label"] != label.as_str());
    }

    /// Titles and texts of the open pull requests.
    pub fn pulls(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        lock(&self.state).pulls.iter().map(|pull| (text(&pull["title"]), text(&pull["body"]))).collect()
    }

    /// The value of a variable.
    pub fn variable(&self, name: &str) -> Option<String> {
        lock(&self.state).variables.get(name).cloned()
    }

    /// Adds a fault for some requests.
    pub fn refuse(&self, fault: ApiFault) {
        lock(&self.state).faults.push(fault);
    }

    /// All requests so far: method, and path without the base and the query.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.state).requests.clone()
    }
}

impl Drop for GitHub {
    fn drop(&mut self) {
        let violations = std::mem::take(&mut lock(&self.state).violations);
        if !std::thread::panicking() {
            assert!(violations.is_empty(), "GitHub's description does not know this:\n{}", violations.join("\n"));
        }
    }
}
