//! Who pushes.

use ami_bake_core::plan::ContainerPublish;
use ami_bake_core::{ErrorKind, Result, Run};
use bollard::auth::DockerCredentials;
use secrecy::ExposeSecret;

use crate::credentials;
use crate::engine::Settings;
use crate::reference::registry;

/// Whose credentials the registry gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// `publish.docker.login`.
    Manifest,
    /// Those that Docker's own client would use.
    Docker,
    /// There are none.
    Nobody,
}

/// The manifest's own credentials, else those that Docker's own client would use. They are masked from here on.
pub(super) async fn login(
    settings: &Settings,
    run: &Run,
    wanted: &ContainerPublish,
) -> Result<(Option<DockerCredentials>, Origin)> {
    let host = registry(&wanted.repository);
    let (found, origin) = match &wanted.login {
        Some(login) => {
            let found = DockerCredentials {
                username: Some(login.username.expose(run.secrets()).expose_secret().to_owned()),
                password: Some(login.password.expose(run.secrets()).expose_secret().to_owned()),
                serveraddress: Some(host.to_owned()),
                ..DockerCredentials::default()
            };
            (Some(found), Origin::Manifest)
        }
        None => match credentials::for_registry(settings, host).await {
            Ok(Some(found)) => (Some(found), Origin::Docker),
            Ok(None) => (None, Origin::Nobody),
            Err(error) => return Err(error.into_kind(ErrorKind::Publish)),
        },
    };
    for secret in found.iter().flat_map(|found| [&found.password, &found.identitytoken]).flatten() {
        run.masker().add(secret);
    }
    Ok((found, origin))
}
