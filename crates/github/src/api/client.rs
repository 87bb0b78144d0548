//! A client for GitHub's API that waits for rate limits, but not for long.

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::{Error, Result};
use octocrab::Octocrab;
use octocrab::service::middleware::retry::{NoOpRateLimitMetrics, RetryConfig};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::refusal::{answered, refusal, unreachable};
use super::settings::{Settings, host};

/// Time limit of an operation, including waits for rate limits: a report is not worth an hour on a runner.
const DEADLINE: Duration = Duration::from_mins(4);

/// Seconds to wait after a rate limit that names no time; GitHub asks for at least a minute.
const LIMIT_WAIT: u64 = 60;

/// The version of the API, the same that octocrab requests.
const VERSION: (&str, &str) = ("x-github-api-version", "2022-11-28");

/// Maximum size of a report in bytes; a larger file is something else.
const ASSET_LIMIT: u64 = 64 << 20;

/// The API of one repository.
#[derive(Debug, Clone)]
pub struct Api {
    octocrab: Octocrab,
    http: reqwest::Client,
    settings: Settings,
}

/// A comment of a pull request or issue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Comment {
    /// ID of the comment.
    pub id: u64,
    /// Text of the comment.
    #[serde(default)]
    pub body: String,
    /// URL of the comment.
    pub html_url: String,
    /// ID of the comment in GraphQL.
    #[serde(default)]
    pub node_id: Option<String>,
    /// Author of the comment; `None` when the account was deleted.
    pub user: Option<User>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct User {
    /// Login of the account; a bot's ends with `[bot]`.
    pub login: String,
}

/// A release.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Release {
    /// ID of the release.
    pub id: u64,
    /// Tag of the release.
    pub tag_name: String,
    /// Release notes.
    #[serde(default)]
    pub body: Option<String>,
    /// URL of the release.
    pub html_url: String,
    /// True until it is published.
    pub draft: bool,
    /// True for a pre-release.
    #[serde(default)]
    pub prerelease: bool,
    /// True when the tag and the files of the release can't be changed.
    #[serde(default)]
    pub immutable: bool,
    /// URI template for uploading files.
    pub upload_url: String,
    /// Files attached to the release.
    #[serde(default)]
    pub assets: Vec<ReleaseAsset>,
}

/// A file of a release.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReleaseAsset {
    /// ID of the file.
    pub id: u64,
    /// Name of the file.
    pub name: String,
    /// Size in bytes.
    #[serde(default)]
    pub size: u64,
}

impl Api {
    /// A client with these settings. It uses the proxy of the environment.
    ///
    /// # Errors
    /// When the URL is invalid, or the system has no root certificates.
    pub fn new(settings: Settings) -> Result<Self> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::internal(format!("could not create a client for {}: {error}", settings.api))
        };
        let http = reqwest::Client::builder()
            .user_agent(concat!("ami-bake/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_mins(1))
            .build()
            .map_err(|error| failed(error.into()))?;
        let retry = RetryConfig::HandleRateLimits {
            metrics: Arc::new(NoOpRateLimitMetrics),
            max_retries: 3,
            min_wait_seconds: LIMIT_WAIT,
            retry_on_forbidden: false,
        };
        let octocrab = Octocrab::builder()
            .base_uri(settings.api.as_str())
            .map_err(|error| failed(error.into()))?
            .personal_token(settings.token.expose_secret().to_owned())
            .add_retry_config(retry)
            .build_with_reqwest(http.clone())
            .map_err(|error| failed(error.into()))?;
        Ok(Self { octocrab, http, settings })
    }

    /// The repository, `owner/name`.
    pub fn repository(&self) -> &str {
        &self.settings.repository
    }

    fn route(&self, rest: &str) -> String {
        let sign = if rest.is_empty() { "" } else { "/" };
        format!("/repos/{}{sign}{rest}", self.settings.repository)
    }

    pub(crate) async fn get<T: serde::de::DeserializeOwned>(&self, what: &str, rest: &str) -> Result<T> {
        self.ask(what, || self.octocrab.get(self.route(rest), None::<&()>)).await
    }

    /// Like the other requests, but `None` when GitHub answers 404.
    pub(crate) async fn find<T: serde::de::DeserializeOwned>(&self, what: &str, rest: &str) -> Result<Option<T>> {
        let asked = async || match self.octocrab.get(self.route(rest), None::<&()>).await {
            Err(octocrab::Error::GitHub { source, .. }) if source.status_code.as_u16() == 404 => Ok(None),
            other => other.map(Some),
        };
        self.ask(what, asked).await
    }

    pub(crate) async fn post<T: serde::de::DeserializeOwned>(
        &self,
        what: &str,
        rest: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T> {
        self.ask(what, || self.octocrab.post(self.route(rest), Some(body))).await
    }

    pub(crate) async fn patch<T: serde::de::DeserializeOwned>(
        &self,
        what: &str,
        rest: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T> {
        self.ask(what, || self.octocrab.patch(self.route(rest), Some(body))).await
    }

    /// Puts; `None` when GitHub answers 409, because what is replaced has changed.
    pub(crate) async fn put_unless_changed<T: serde::de::DeserializeOwned>(
        &self,
        what: &str,
        rest: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<Option<T>> {
        let asked = async || match self.octocrab.put(self.route(rest), Some(body)).await {
            Err(octocrab::Error::GitHub { source, .. }) if source.status_code.as_u16() == 409 => Ok(None),
            other => other.map(Some),
        };
        self.ask(what, asked).await
    }

    /// Posts where the answer has no body, or an empty one.
    pub(crate) async fn post_only(&self, what: &str, rest: &str, body: &(impl Serialize + Sync)) -> Result<()> {
        let asked = || async {
            let done = self.octocrab._post(self.route(rest), Some(body)).await?;
            octocrab::map_github_error(done).await.map(drop)
        };
        self.ask(what, asked).await
    }

    /// Patches where the answer has no body.
    pub(crate) async fn patch_only(&self, what: &str, rest: &str, body: &(impl Serialize + Sync)) -> Result<()> {
        let asked = || async {
            let done = self.octocrab._patch(self.route(rest), Some(body)).await?;
            octocrab::map_github_error(done).await.map(drop)
        };
        self.ask(what, asked).await
    }

    pub(crate) async fn delete(&self, what: &str, rest: &str) -> Result<()> {
        let asked = || async {
            let gone = self.octocrab._delete(self.route(rest), None::<&()>).await?;
            octocrab::map_github_error(gone).await.map(drop)
        };
        self.ask(what, asked).await
    }

    /// All entries of a list, up to `pages` pages of a hundred.
    pub(crate) async fn list<T: serde::de::DeserializeOwned>(
        &self,
        what: &str,
        rest: &str,
        pages: usize,
    ) -> Result<Vec<T>> {
        let sign = if rest.contains('?') { '&' } else { '?' };
        let mut all: Vec<T> = Vec::new();
        for page in 1..=pages {
            let entries: Vec<T> = self.get(what, &format!("{rest}{sign}per_page=100&page={page}")).await?;
            let last = entries.len() < 100;
            all.extend(entries);
            if last {
                break;
            }
        }
        Ok(all)
    }

    /// Sends a request with retries. octocrab retries a server error at once, which no outage survives, so this waits
    /// longer each time.
    async fn ask<T, F>(&self, what: &str, asked: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = octocrab::Result<T>>,
    {
        let patiently = async {
            for pause in pauses(self.settings.retry) {
                match asked().await {
                    Err(octocrab::Error::GitHub { source, .. }) if source.status_code.is_server_error() => {
                        tokio::time::sleep(pause).await;
                    }
                    other => return other,
                }
            }
            asked().await
        };
        match tokio::time::timeout(DEADLINE, patiently).await {
            Ok(answer) => answer.map_err(|error| refusal(what, &self.settings.api, error)),
            Err(_) => Err(answered(what, 429, "the rate limit lasts longer than four minutes")),
        }
    }

    /// The login of the token's account: `github-actions[bot]` for GITHUB_TOKEN.
    ///
    /// # Errors
    /// When the API fails.
    pub async fn login(&self) -> Result<String> {
        self.viewer().await
    }

    /// The login of the token's account. A job's token can only ask GraphQL for it.
    pub(crate) async fn viewer(&self) -> Result<String> {
        let what = "could not look up the account of the token";
        let request = self
            .http
            .post(&self.settings.graphql)
            .bearer_auth(self.settings.token.expose_secret())
            .json(&json!({"query": "query { viewer { login } }"}));
        let answer: Value =
            self.read(what, request).await?.json().await.map_err(|e| unreachable(what, &self.settings.graphql, e))?;
        answer["data"]["viewer"]["login"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| Error::internal(format!("{what}: GitHub answered {}", answer["errors"])))
    }

    /// Hides a comment as outdated, which is only possible in GraphQL (GitHub GraphQL API: `minimizeComment`).
    pub(crate) async fn minimize(&self, what: &str, node: &str) -> Result<()> {
        let query = "mutation($id: ID!) { minimizeComment(input: {subjectId: $id, classifier: OUTDATED}) { \
                     minimizedComment { isMinimized } } }";
        let request = self
            .http
            .post(&self.settings.graphql)
            .bearer_auth(self.settings.token.expose_secret())
            .json(&json!({"query": query, "variables": {"id": node}}));
        let answer: Value =
            self.read(what, request).await?.json().await.map_err(|e| unreachable(what, &self.settings.graphql, e))?;
        match answer["errors"].as_array() {
            Some(errors) if !errors.is_empty() => {
                let why = errors[0]["message"].as_str().unwrap_or("no reason given");
                Err(Error::internal(format!("{what}: the old comment can't be hidden: {why}")))
            }
            _ => Ok(()),
        }
    }

    /// Adds a file to a release.
    pub(crate) async fn upload(&self, release: &Release, name: &str, content: Vec<u8>) -> Result<()> {
        let what = format!("could not upload {name} to release {}", release.tag_name);
        let template = release.upload_url.split('{').next().unwrap_or_default();
        // The token is only sent to hosts of the API, whatever URL an answer contains.
        let to = host(template);
        if to != self.settings.upload_host() && to != host(&self.settings.api) {
            return Err(Error::internal(format!(
                "{what}: GitHub wants it uploaded to {to}, which is not a host of the API"
            )));
        }
        let request = self
            .http
            .post(template)
            .query(&[("name", name)])
            .bearer_auth(self.settings.token.expose_secret())
            .header(CONTENT_TYPE, "application/json")
            .body(content);
        self.send(&what, request).await.map(drop)
    }

    /// The content of a file of a release.
    pub(crate) async fn download(&self, asset: &ReleaseAsset) -> Result<Vec<u8>> {
        let what = format!("could not download {} of a release", asset.name);
        if asset.size > ASSET_LIMIT {
            return Err(Error::internal(format!("{what}: {} bytes is too large to be a report", asset.size)));
        }
        let address = format!("{}{}", self.settings.api, self.route(&format!("releases/assets/{}", asset.id)));
        // GitHub redirects to another host; reqwest does not send the token there.
        let request = self
            .http
            .get(address)
            .bearer_auth(self.settings.token.expose_secret())
            .header(ACCEPT, "application/octet-stream");
        let content =
            self.read(&what, request).await?.bytes().await.map_err(|e| unreachable(&what, &self.settings.api, e))?;
        Ok(content.to_vec())
    }

    /// Sends a request that may be sent twice, and retries it after a server error or without an answer, as patiently as
    /// [`Api::ask`].
    async fn read(&self, what: &str, request: reqwest::RequestBuilder) -> Result<reqwest::Response> {
        let patiently = async {
            // Twice at once, as octocrab does: most errors of a server are over by then.
            for pause in [Duration::ZERO; 2].into_iter().chain(pauses(self.settings.retry)) {
                let Some(again) = request.try_clone() else { break };
                match again.header(VERSION.0, VERSION.1).send().await {
                    Ok(answer) if answer.status().is_server_error() => {}
                    Ok(answer) => return accept(what, answer).await,
                    Err(_) => {}
                }
                tokio::time::sleep(pause).await;
            }
            self.send(what, request).await
        };
        let late = || {
            Error::internal(format!("{what}: no answer from {} within four minutes", self.settings.api))
                .help("Run it again once GitHub answers (https://www.githubstatus.com).")
        };
        tokio::time::timeout(DEADLINE, patiently).await.unwrap_or_else(|_| Err(late()))
    }

    async fn send(&self, what: &str, request: reqwest::RequestBuilder) -> Result<reqwest::Response> {
        let answer = request.header(VERSION.0, VERSION.1).send().await;
        let answer = answer.map_err(|error| unreachable(what, &self.settings.api, error.without_url()))?;
        accept(what, answer).await
    }
}

/// The pauses between attempts: 2 s, 4 s, 8 s, … until their sum is `whole`.
fn pauses(whole: Duration) -> Vec<Duration> {
    let (mut all, mut left, mut next) = (Vec::new(), whole, Duration::from_secs(2));
    while !left.is_zero() {
        let pause = next.min(left);
        all.push(pause);
        left -= pause;
        next *= 2;
    }
    all
}

/// Returns a successful answer; any other becomes an error.
async fn accept(what: &str, answer: reqwest::Response) -> Result<reqwest::Response> {
    let status = answer.status().as_u16();
    if answer.status().is_success() {
        return Ok(answer);
    }
    let text = answer.text().await.unwrap_or_default();
    let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    let message = body["message"].as_str().unwrap_or("no reason given");
    let errors = body["errors"].as_array().filter(|errors| !errors.is_empty());
    let detail = errors.map(|errors| format!(" ({})", json!(errors))).unwrap_or_default();
    Err(answered(what, status, &format!("{message}{detail}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_waited_for_a_minute() {
        let seconds = |whole| pauses(Duration::from_secs(whole)).iter().map(Duration::as_secs).collect::<Vec<_>>();
        assert_eq!((seconds(60), seconds(0)), (vec![2, 4, 8, 16, 30], vec![]));
    }
}
