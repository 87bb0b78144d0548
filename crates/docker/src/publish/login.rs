//! The login for a push.

use ami_bake_core::plan::ContainerPublish;
use ami_bake_core::{ErrorKind, Result, Run};
use bollard::auth::DockerCredentials;
use secrecy::ExposeSecret;

use crate::credentials;
use crate::engine::Settings;
use crate::reference::registry;

/// Where the credentials for a push come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CredentialSource {
    /// `publish.docker.login`.
    Manifest,
    /// Docker's own configuration.
    Docker,
    /// There are no credentials.
    Missing,
}

/// The credentials of `publish.docker.login`, else those of Docker's own configuration. They are masked in all output
/// from here on.
pub(super) async fn login(
    settings: &Settings,
    run: &Run,
    publish: &ContainerPublish,
) -> Result<(Option<DockerCredentials>, CredentialSource)> {
    let host = registry(&publish.repository);
    let (found, source) = match &publish.login {
        Some(login) => {
            let found = DockerCredentials {
                username: Some(login.username.expose(run.secrets()).expose_secret().to_owned()),
                password: Some(login.password.expose(run.secrets()).expose_secret().to_owned()),
                serveraddress: Some(host.to_owned()),
                ..DockerCredentials::default()
            };
            (Some(found), CredentialSource::Manifest)
        }
        None => match credentials::for_registry(settings, host).await {
            Ok(Some(found)) => (Some(found), CredentialSource::Docker),
            Ok(None) => (None, CredentialSource::Missing),
            Err(error) => return Err(error.into_kind(ErrorKind::Publish)),
        },
    };
    for secret in found.iter().flat_map(|found| [&found.password, &found.identitytoken]).flatten() {
        run.masker().add(secret);
    }
    Ok((found, source))
}
