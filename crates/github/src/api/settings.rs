//! Settings of the API client: URL, token, repository.

use std::time::Duration;

use ami_bake_core::{Error, Result};
use secrecy::SecretString;

use crate::runner::Environment;

/// The API of github.com.
const PUBLIC_API: &str = "https://api.github.com";

/// The settings of a client.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `GITHUB_API_URL`: for GitHub Enterprise Server `https://HOST/api/v3`.
    pub api: String,
    /// `GITHUB_GRAPHQL_URL`: for GitHub Enterprise Server `https://HOST/api/graphql`.
    pub graphql: String,
    /// The repository, `owner/name`.
    pub repository: String,
    /// A token of the job, an app or a person.
    pub token: SecretString,
    /// How long server errors are retried: `AMI_BAKE_GITHUB_RETRY` in seconds. Default: a minute.
    pub retry: Duration,
}

impl Settings {
    /// The settings from the environment. `token` and `repository` override it.
    ///
    /// # Errors
    /// When there is no token or no valid repository.
    pub fn of(environment: &Environment, token: Option<&str>, repository: Option<&str>) -> Result<Self> {
        let token = token.or_else(|| environment.get("GITHUB_TOKEN")).or_else(|| environment.get("GH_TOKEN"));
        let token = token.ok_or_else(|| {
            Error::usage("no token for GitHub: neither GITHUB_TOKEN nor GH_TOKEN is set").help(
                "In a workflow, add `env: {GITHUB_TOKEN: ${{ github.token }}}` to the step. Elsewhere, set GH_TOKEN.",
            )
        })?;
        let repository = repository.or_else(|| environment.get("GITHUB_REPOSITORY")).ok_or_else(|| {
            Error::usage("no GitHub repository given: GITHUB_REPOSITORY is not set")
                .help("Use --repository OWNER/NAME.")
        })?;
        let api = environment.get("GITHUB_API_URL").unwrap_or(PUBLIC_API).trim_end_matches('/').to_owned();
        let graphql = environment.get("GITHUB_GRAPHQL_URL").map_or_else(
            || format!("{}/graphql", api.strip_suffix("/v3").unwrap_or(&api)),
            |url| url.trim_end_matches('/').to_owned(),
        );
        let seconds = match environment.get("AMI_BAKE_GITHUB_RETRY") {
            None => 60,
            Some(text) => text.parse().ok().filter(|seconds| *seconds <= 180).ok_or_else(|| {
                Error::usage(format!("AMI_BAKE_GITHUB_RETRY={text} is not valid")).help("Use seconds, 180 at most.")
            })?,
        };
        let (retry, token) = (Duration::from_secs(seconds), SecretString::from(token));
        let settings = Self { api, graphql, repository: repository.to_owned(), token, retry };
        settings.validate()
    }

    fn validate(self) -> Result<Self> {
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) && name != ".."
        };
        match self.repository.split_once('/') {
            Some((owner, name)) if is_name(owner) && is_name(name) => Ok(self),
            _ => Err(Error::usage(format!("{:?} is not a valid repository", self.repository)).help("Use OWNER/NAME.")),
        }
    }

    /// The host for uploads: `uploads.HOST` when the API is `api.HOST`, else the API's own.
    pub(super) fn upload_host(&self) -> String {
        let host = host(&self.api);
        host.strip_prefix("api.").map_or_else(|| host.to_owned(), |rest| format!("uploads.{rest}"))
    }
}

/// Host and port of a URL.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '{']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings> {
        Settings::of(&Environment::of(variables.iter().copied()), None, None)
    }

    #[test]
    fn an_enterprise_server_is_known_by_its_variables() {
        let known = [("GITHUB_TOKEN", "t"), ("GITHUB_REPOSITORY", "a/b")];
        let public = settings(&known).unwrap();
        assert_eq!(
            (public.graphql.as_str(), public.upload_host().as_str()),
            ("https://api.github.com/graphql", "uploads.github.com")
        );
        let server = settings(&[known[0], known[1], ("GITHUB_API_URL", "https://ghe.corp/api/v3/")]).unwrap();
        assert_eq!(
            (server.graphql.as_str(), server.upload_host().as_str()),
            ("https://ghe.corp/api/graphql", "ghe.corp")
        );
    }

    #[test]
    fn missing_settings_are_errors() {
        let message = |variables: &[(&str, &str)]| settings(variables).unwrap_err().to_string();
        assert!(message(&[("GITHUB_REPOSITORY", "a/b")]).contains("no token"));
        assert!(message(&[("GH_TOKEN", "t")]).contains("no GitHub repository"));
        assert!(
            message(&[("GH_TOKEN", "t"), ("GITHUB_REPOSITORY", "a/b/../../user")])
                .contains("is not a valid repository")
        );
    }
}
