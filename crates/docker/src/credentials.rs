//! Credentials for registries, from where Docker's own client has them: `config.json`, its helpers, the environment.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use ami_bake_core::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;

use crate::engine::{Said, Settings};
use crate::reference::HUB;

/// The name of Docker Hub in `config.json`.
const HUB_KEY: &str = "https://index.docker.io/v1/";
/// The user name that says that the secret is an identity token (docker-credential-helpers).
const TOKEN_USER: &str = "<token>";

/// What of `config.json` is read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    auths: BTreeMap<String, Auth>,
    #[serde(rename = "credsStore")]
    store: Option<String>,
    #[serde(rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    #[serde(rename = "auth")]
    pair: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

/// What a credential helper answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// The credentials for a registry; none where nothing has any.
///
/// # Errors
/// When the configuration can't be read, or a helper that it names fails.
pub(crate) async fn for_registry(settings: &Settings, registry: &str) -> Result<Option<DockerCredentials>> {
    let key = if registry == HUB { HUB_KEY } else { registry };
    if let Some(text) = &settings.auth
        && let Some(found) = parse(text, "DOCKER_AUTH_CONFIG")?.stored(registry)?
    {
        return Ok(Some(found));
    }
    let Some(path) = settings.config.as_ref().map(|folder| folder.join("config.json")) else { return Ok(None) };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::preflight(format!("read {}", path.display())).because(error)),
    };
    let config = parse(&text, &path.display().to_string())?;
    if let Some(helper) = config.helpers.get(registry).or(config.store.as_ref())
        && let Some(found) = ask(helper, key).await?
    {
        return Ok(Some(found));
    }
    config.stored(registry)
}

fn parse(text: &str, from: &str) -> Result<Config> {
    serde_json::from_str(text).map_err(|error| {
        // The parser's own words may quote what stands there.
        let place = Said(format!("line {}, column {}", error.line(), error.column()));
        Error::preflight(format!("read {from}: it is no configuration of Docker"))
            .help("Write it anew with `docker login`.")
            .because(place)
    })
}

impl Config {
    /// What stands in the file itself.
    fn stored(&self, registry: &str) -> Result<Option<DockerCredentials>> {
        let Some((_, auth)) = self.auths.iter().find(|(key, _)| host(key) == host(registry)) else { return Ok(None) };
        let (mut username, mut password) = (auth.username.clone(), auth.password.clone());
        if let Some(pair) = auth.pair.as_deref().filter(|pair| !pair.is_empty()) {
            let decoded = STANDARD.decode(pair).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let Some((user, word)) = decoded.as_deref().and_then(|pair| pair.split_once(':')) else {
                return Err(Error::preflight(format!("read the credentials for {registry} in Docker's configuration"))
                    .help(format!("Write them anew with `docker login {registry}`.")));
            };
            username = Some(user.to_owned());
            password = Some(word.trim_end_matches('\0').to_owned());
        }
        let identitytoken = auth.identitytoken.clone().filter(|token| !token.is_empty());
        if password.is_none() && identitytoken.is_none() {
            return Ok(None);
        }
        Ok(Some(DockerCredentials {
            username,
            password,
            identitytoken,
            serveraddress: Some(registry.to_owned()),
            ..DockerCredentials::default()
        }))
    }
}

/// The host of a key of `auths`, which may be an address. Docker Hub has several.
fn host(key: &str) -> &str {
    let bare = key.split_once("://").map_or(key, |(_, rest)| rest);
    match bare.split('/').next().unwrap_or(bare) {
        "index.docker.io" | "registry-1.docker.io" => HUB,
        host => host,
    }
}

/// Asks `docker-credential-HELPER`; none when it knows no credentials for this registry.
async fn ask(helper: &str, key: &str) -> Result<Option<DockerCredentials>> {
    let program = format!("docker-credential-{helper}");
    let failed = |error: std::io::Error| {
        Error::preflight(format!("ask {program} for the credentials of {key}"))
            .help("Install it, or take it out of `credsStore` or `credHelpers` in Docker's config.json.")
            .because(error)
    };
    let mut child = tokio::process::Command::new(Path::new(&program))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that needs no answer to end has its reasons; its status tells.
        let _ = stdin.write_all(key.as_bytes()).await;
    }
    let output = child.wait_with_output().await.map_err(failed)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        if said.contains("credentials not found") {
            return Ok(None);
        }
        return Err(failed(std::io::Error::other(said.trim().to_owned())));
    }
    let answer: Answer = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed(std::io::Error::other("its answer is no JSON of a credential helper")))?;
    let token = answer.username == TOKEN_USER;
    Ok(Some(DockerCredentials {
        username: Some(answer.username).filter(|_| !token),
        password: Some(answer.secret.clone()).filter(|_| !token),
        identitytoken: Some(answer.secret).filter(|_| token),
        serveraddress: Some(key.to_owned()),
        ..DockerCredentials::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(text: &str, registry: &str) -> Option<(Option<String>, Option<String>)> {
        parse(text, "config.json").unwrap().stored(registry).unwrap().map(|found| (found.username, found.password))
    }

    #[test]
    fn credentials_are_found_by_host() {
        let text = format!(
            r#"{{"auths": {{"https://index.docker.io/v1/": {{"auth": "{}"}}, "127.0.0.1:5000": {{"username": "u", "password": "p"}}, "empty.example.com": {{}}}}}}"#,
            STANDARD.encode("ada:a:b")
        );
        assert_eq!(stored(&text, HUB), Some((Some("ada".into()), Some("a:b".into()))));
        assert_eq!(stored(&text, "127.0.0.1:5000"), Some((Some("u".into()), Some("p".into()))));
        assert_eq!(stored(&text, "empty.example.com"), None);
        assert_eq!(stored(&text, "other.example.com"), None);
    }

    #[test]
    fn a_broken_file_is_named_and_not_quoted() {
        let error = parse("{\"auths\": {\"x\": {\"auth\": geheim", "/home/a/.docker/config.json").err().unwrap();
        assert!(error.message().contains("/home/a/.docker/config.json"), "{error}");
        assert!(!format!("{error} {:?}", error.causes()).contains("geheim"));
    }

    #[tokio::test]
    async fn the_environment_comes_before_the_file() {
        let auth = Some(format!(r#"{{"auths": {{"r.example.com": {{"auth": "{}"}}}}}}"#, STANDARD.encode("env:word")));
        let settings = Settings { auth, ..Settings::default() };
        let found = for_registry(&settings, "r.example.com").await.unwrap().unwrap();
        assert_eq!((found.username.as_deref(), found.password.as_deref()), (Some("env"), Some("word")));
        assert!(for_registry(&settings, "elsewhere").await.unwrap().is_none());
    }
}
