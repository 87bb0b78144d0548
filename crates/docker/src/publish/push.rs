//! Pushes one tag, unless the registry has it already.

use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::query_parameters::PushImageOptions;
use futures::StreamExt;

use crate::reference::Reference;

/// The image's digests in registries, as recorded by the daemon.
pub(super) async fn known_digests(docker: &Docker, image: &str) -> Result<Vec<String>, Error> {
    let references = docker.inspect_image(image).await?.repo_digests.unwrap_or_default();
    Ok(references.iter().filter_map(|reference| Some(reference.split_once('@')?.1.to_owned())).collect())
}

/// The digest of this tag in the registry, if it is one of `known`; then no push is needed. Errors of the registry are
/// ignored here: the push reports them.
pub(super) async fn pushed_digest(
    docker: &Docker,
    reference: &Reference,
    known: &[String],
    login: Option<DockerCredentials>,
) -> Option<String> {
    if known.is_empty() {
        return None;
    }
    let found = docker.inspect_registry_image(&reference.to_string(), login).await.ok()?;
    found.descriptor.digest.filter(|digest| known.contains(digest))
}

/// Pushes the tag, and returns the image's digest in the registry if the daemon reports it.
pub(super) async fn push(
    docker: &Docker,
    reference: &Reference,
    login: Option<DockerCredentials>,
) -> Result<Option<String>, Error> {
    let options = PushImageOptions { tag: Some(reference.tag.clone()), ..PushImageOptions::default() };
    let mut progress = docker.push_image(&reference.repository, Some(options), login);
    let mut digest = None;
    while let Some(update) = progress.next().await {
        digest = update?.status.as_deref().and_then(digest_of).or(digest);
    }
    Ok(digest)
}

/// The digest in the daemon's last line: `TAG: digest: sha256:… size: 528` (moby, `distribution/push_v2.go`).
fn digest_of(status: &str) -> Option<String> {
    let (_, rest) = status.split_once(": digest: ")?;
    rest.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_has_the_digest() {
        assert_eq!(digest_of("0.1: digest: sha256:ab size: 528").as_deref(), Some("sha256:ab"));
        assert_eq!(digest_of("Layer already exists"), None);
    }
}
