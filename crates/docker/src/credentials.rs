//! Credentials for registries, from the same places as Docker's own client: `DOCKER_AUTH_CONFIG`, `config.json` and the
//! credential helpers that they name.

use ami_bake_core::{Error, Result};
use bollard::auth::DockerCredentials;
use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};
use tokio::sync::oneshot;

use crate::engine::{EngineMessage, Settings};
use crate::reference::HUB;

/// The name of Docker Hub in `config.json` and for credential helpers.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// The credentials for a registry, `None` when there are none.
///
/// # Errors
/// When the configuration can't be read, or a helper that it names fails.
pub(crate) async fn for_registry(settings: &Settings, registry: &str) -> Result<Option<DockerCredentials>> {
    if let Some(text) = &settings.auth
        && let Some(found) = look_up(text, "DOCKER_AUTH_CONFIG", registry).await?
    {
        return Ok(Some(found));
    }
    let Some(path) = settings.config.as_ref().map(|folder| folder.join("config.json")) else { return Ok(None) };
    match std::fs::read_to_string(&path) {
        Ok(text) => look_up(&text, &path.display().to_string(), registry).await,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::preflight(format!("could not read {}", path.display())).because(error)),
    }
}

/// The credentials in the configuration `text`, which is called `from` in errors.
async fn look_up(text: &str, from: &str, registry: &str) -> Result<Option<DockerCredentials>> {
    // Docker Hub goes by several names: `docker login` writes the first, people write the second.
    let keys = if registry == HUB { vec![HUB_KEY, HUB] } else { vec![registry] };
    for key in keys {
        match retrieve(text, key).await? {
            Ok(found) => return Ok(Some(credentials(found, key))),
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(failure(error, text, from, key)),
        }
    }
    Ok(None)
}

/// Runs in a thread of its own: a credential helper may wait for a password, and a cancelled run must not wait for it.
async fn retrieve(text: &str, key: &str) -> Result<Result<DockerCredential, CredentialRetrievalError>> {
    let (sender, receiver) = oneshot::channel();
    let (text, key) = (text.to_owned(), key.to_owned());
    let thread = std::thread::Builder::new().name("credentials".to_owned());
    let started = thread.spawn(move || {
        // Nobody is waiting any more when the receiver is gone.
        let _ = sender.send(get_credential_from_reader(text.as_bytes(), &key));
    });
    started.map_err(|error| Error::internal("could not start a thread for a credential helper").because(error))?;
    receiver.await.map_err(|error| Error::internal("could not read registry credentials").because(error))
}

/// Helpers answer this when they have no credentials for a registry (docker-credential-helpers, `errCredentialsNotFound`).
fn is_absent(error: &CredentialRetrievalError) -> bool {
    match error {
        CredentialRetrievalError::NoCredentialConfigured => true,
        CredentialRetrievalError::HelperFailure { stdout, .. } => stdout.contains("credentials not found"),
        _ => false,
    }
}

fn failure(error: CredentialRetrievalError, text: &str, from: &str, key: &str) -> Error {
    let login = format!("Run `docker login {}` again.", if key == HUB_KEY { HUB } else { key });
    match error {
        // Without its source: a parser may quote what it read.
        CredentialRetrievalError::ConfigReadError => {
            Error::preflight(format!("could not read {from}: it is not a valid Docker configuration"))
                .help("It must be JSON, as `docker login` writes it.")
        }
        CredentialRetrievalError::HelperFailure { stdout, stderr, .. } => {
            let said = format!("{} {}", stdout.trim(), stderr.trim());
            helper_failure(text, key).because(EngineMessage(said.trim().to_owned()))
        }
        CredentialRetrievalError::HelperCommunicationError | CredentialRetrievalError::MalformedHelperResponse => {
            helper_failure(text, key).because(error)
        }
        _ => {
            Error::preflight(format!("could not read the credentials for {key} from {from}")).help(login).because(error)
        }
    }
}

fn helper_failure(text: &str, key: &str) -> Error {
    let config = serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
    let helper = config["credHelpers"][key].as_str().or(config["credsStore"].as_str()).unwrap_or_default();
    Error::preflight(format!("could not get the credentials for {key} from docker-credential-{helper}"))
        .help("Install it, or remove it from `credsStore` or `credHelpers` in Docker's config.json.")
}

fn credentials(found: DockerCredential, key: &str) -> DockerCredentials {
    let address = DockerCredentials { serveraddress: Some(key.to_owned()), ..DockerCredentials::default() };
    match found {
        DockerCredential::IdentityToken(token) => DockerCredentials { identitytoken: Some(token), ..address },
        DockerCredential::UsernamePassword(username, password) => DockerCredentials {
            username: Some(username),
            // Docker's own client drops these too (docker/cli, `decodeAuth`).
            password: Some(password.trim_end_matches('\0').to_owned()),
            ..address
        },
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    async fn stored(text: &str, registry: &str) -> Option<(Option<String>, Option<String>)> {
        look_up(text, "config.json", registry).await.unwrap().map(|found| (found.username, found.password))
    }

    #[tokio::test]
    async fn credentials_are_found_by_host() {
        let text = format!(
            r#"{{"auths": {{"https://index.docker.io/v1/": {{"auth": "{}"}}, "127.0.0.1:5000": {{"username": "u", "password": "p"}}, "empty.example.com": {{}}}}}}"#,
            STANDARD.encode("ada:a:b")
        );
        assert_eq!(stored(&text, HUB).await, Some((Some("ada".into()), Some("a:b".into()))));
        assert_eq!(stored(&text, "127.0.0.1:5000").await, Some((Some("u".into()), Some("p".into()))));
        assert_eq!(stored(&text, "empty.example.com").await, None);
        assert_eq!(stored(&text, "other.example.com").await, None);
        let other_name = format!(r#"{{"auths": {{"docker.io": {{"auth": "{}"}}}}}}"#, STANDARD.encode("ada:c"));
        assert_eq!(stored(&other_name, HUB).await, Some((Some("ada".into()), Some("c".into()))));
    }

    #[tokio::test]
    async fn an_identity_token_is_no_password() {
        let text = r#"{"auths": {"r.example.com": {"identitytoken": "token"}}}"#;
        let found = look_up(text, "config.json", "r.example.com").await.unwrap().unwrap();
        assert_eq!((found.identitytoken.as_deref(), found.password), (Some("token"), None));
    }

    #[tokio::test]
    async fn a_helper_that_is_missing_is_named() {
        for text in [r#"{"credsStore": "nowhere"}"#, r#"{"credHelpers": {"r.example.com": "nowhere"}}"#] {
            let error = look_up(text, "config.json", "r.example.com").await.unwrap_err();
            assert!(error.message().contains("docker-credential-nowhere") && error.help_text().is_some(), "{error}");
        }
    }

    #[tokio::test]
    async fn a_broken_file_is_named_and_not_quoted() {
        let text = "{\"auths\": {\"x\": {\"auth\": geheim";
        let error = look_up(text, "/home/a/.docker/config.json", "x").await.unwrap_err();
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
