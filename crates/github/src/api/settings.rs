//! Where the API is, who asks, and for which repository.

use ami_bake_core::{Error, Result};
use secrecy::SecretString;

use crate::runner::Environment;

/// github.com's API.
const PUBLIC_API: &str = "https://api.github.com";

/// Everything that a client needs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `GITHUB_API_URL`: of a GitHub Enterprise Server `https://HOST/api/v3`.
    pub api: String,
    /// `GITHUB_GRAPHQL_URL`: of a GitHub Enterprise Server `https://HOST/api/graphql`.
    pub graphql: String,
    /// `owner/name`.
    pub repository: String,
    /// A token of the job, of an App or of a person.
    pub token: SecretString,
}

impl Settings {
    /// What the environment says; `token` and `repository` are used instead of its own where they are given.
    ///
    /// # Errors
    /// When no token or no repository is known.
    pub fn of(environment: &Environment, token: Option<&str>, repository: Option<&str>) -> Result<Self> {
        let token = token.or_else(|| environment.get("GITHUB_TOKEN")).or_else(|| environment.get("GH_TOKEN"));
        let token = token.ok_or_else(|| {
            Error::usage("there is no token to speak with GitHub: neither GITHUB_TOKEN nor GH_TOKEN is set")
                .help("In a workflow's step, add `env: {GITHUB_TOKEN: ${{ github.token }}}`; elsewhere set GH_TOKEN.")
        })?;
        let repository = repository.or_else(|| environment.get("GITHUB_REPOSITORY")).ok_or_else(|| {
            Error::usage("it is not known which repository on GitHub this is about")
                .help("Give --repository OWNER/NAME; in a workflow GITHUB_REPOSITORY says it.")
        })?;
        let api = environment.get("GITHUB_API_URL").unwrap_or(PUBLIC_API).trim_end_matches('/').to_owned();
        let graphql = environment.get("GITHUB_GRAPHQL_URL").map_or_else(
            || format!("{}/graphql", api.strip_suffix("/v3").unwrap_or(&api)),
            |url| url.trim_end_matches('/').to_owned(),
        );
        let settings = Self { api, graphql, repository: repository.to_owned(), token: SecretString::from(token) };
        settings.judged()
    }

    fn judged(self) -> Result<Self> {
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) && name != ".."
        };
        match self.repository.split_once('/') {
            Some((owner, name)) if is_name(owner) && is_name(name) => Ok(self),
            _ => Err(Error::usage(format!("{:?} is no repository", self.repository)).help("Write OWNER/NAME.")),
        }
    }

    /// The host that takes uploads: `uploads.HOST` where the API is `api.HOST`, else the API's own.
    pub(super) fn upload_host(&self) -> String {
        let host = host(&self.api);
        host.strip_prefix("api.").map_or_else(|| host.to_owned(), |rest| format!("uploads.{rest}"))
    }
}

/// Host and port of an address.
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
    fn a_server_of_ones_own_is_told_by_its_variables() {
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
    fn what_is_missing_is_told() {
        let message = |variables: &[(&str, &str)]| settings(variables).unwrap_err().to_string();
        assert!(message(&[("GITHUB_REPOSITORY", "a/b")]).contains("no token"));
        assert!(message(&[("GH_TOKEN", "t")]).contains("which repository"));
        assert!(message(&[("GH_TOKEN", "t"), ("GITHUB_REPOSITORY", "a/b/../../user")]).contains("is no repository"));
    }
}
