//! Commits a container as an image.

use std::collections::BTreeMap;

use ami_bake_core::plan::ImagePlan;
use ami_bake_core::{Error, ErrorKind, Result};
use bollard::Docker;
use bollard::models::{ImageConfig, ImageInspect};
use bollard::query_parameters::CommitContainerOptions;

use super::config::changed;
use crate::engine::failed;
use crate::labels;
use crate::reference::Reference;

/// Arguments of [`commit`].
pub(crate) struct Commit<'a> {
    /// The container, which is stopped.
    pub(crate) container: &'a str,
    /// The configuration of the container's source image.
    pub(crate) config: ImageConfig,
    /// The plan of the new image.
    pub(crate) plan: &'a ImagePlan,
    /// The new image's tags, which become labels.
    pub(crate) tags: &'a BTreeMap<String, String>,
    /// The new image's reference.
    pub(crate) reference: &'a Reference,
}

/// Commits the container and returns the new image.
pub(crate) async fn commit(docker: &Docker, commit: Commit<'_>) -> Result<ImageInspect> {
    let Commit { container, config, plan, tags, reference } = commit;
    let commit_error =
        |error: &bollard::errors::Error| failed(ErrorKind::Build, format!("commit container {container}"), error);
    let inspected = docker.inspect_container(container, None).await.map_err(|error| commit_error(&error))?;
    let inherited = inspected.config.and_then(|config| config.labels).unwrap_or_default();
    let changes = plan.settings.container.as_ref().map(|container| &container.changes);
    let own = changes.map(|changes| changes.labels.as_slice()).unwrap_or_default();
    let mut config = changed(config, changes);
    config.labels = Some(labels::of_image(&inherited, tags, own, &reference.to_string()));
    let options = CommitContainerOptions {
        container: Some(container.to_owned()),
        repo: Some(reference.repository.clone()),
        tag: Some(reference.tag.clone()),
        comment: Some(plan.settings.description.clone()).filter(|text| !text.is_empty()),
        pause: false,
        ..CommitContainerOptions::default()
    };
    let committed = docker.commit_container(options, config).await.map_err(|error| commit_error(&error))?;
    let image = docker.inspect_image(&committed.id).await.map_err(|error| commit_error(&error))?;
    if image.id.is_none() {
        return Err(Error::build(format!(
            "could not commit container {container}: the Docker daemon returned no image ID"
        )));
    }
    Ok(image)
}
