//! A container's changes become an image.

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

/// What to commit.
pub(crate) struct Commit<'a> {
    /// The container, which does not run.
    pub(crate) container: &'a str,
    /// The configuration of the image that it was made from.
    pub(crate) config: ImageConfig,
    /// What the image is to be.
    pub(crate) plan: &'a ImagePlan,
    /// Its tags, which become labels.
    pub(crate) tags: &'a BTreeMap<String, String>,
    /// Its reference.
    pub(crate) reference: &'a Reference,
}

/// Makes the image, and answers what the engine says of it.
pub(crate) async fn commit(docker: &Docker, wanted: Commit<'_>) -> Result<ImageInspect> {
    let Commit { container, config, plan, tags, reference } = wanted;
    let broken =
        |error: &bollard::errors::Error| failed(ErrorKind::Build, format!("commit container {container}"), error);
    let now = docker.inspect_container(container, None).await.map_err(|error| broken(&error))?;
    let below = now.config.and_then(|config| config.labels).unwrap_or_default();
    let changes = plan.settings.container.as_ref().map(|container| &container.changes);
    let own = changes.map(|changes| changes.labels.as_slice()).unwrap_or_default();
    let mut config = changed(config, changes);
    config.labels = Some(labels::of_image(&below, tags, own, &reference.to_string()));
    let options = CommitContainerOptions {
        container: Some(container.to_owned()),
        repo: Some(reference.repository.clone()),
        tag: Some(reference.tag.clone()),
        comment: Some(plan.settings.description.clone()).filter(|text| !text.is_empty()),
        pause: false,
        ..CommitContainerOptions::default()
    };
    let made = docker.commit_container(options, config).await.map_err(|error| broken(&error))?;
    let seen = docker.inspect_image(&made.id).await.map_err(|error| broken(&error))?;
    if seen.id.is_none() {
        return Err(Error::build(format!("commit container {container}: the engine names no id of the image")));
    }
    Ok(seen)
}
