//! Deletes images.

use ami_bake_core::platform::Undo;
use ami_bake_core::{ErrorKind, Result, tags};
use bollard::Docker;
use bollard::query_parameters::RemoveImageOptions;

use crate::engine::{failed, is_conflict, is_missing};
use crate::labels;

/// Deletes an image that ami-bake created: its reference, and the image when nothing else uses it. An image that others
/// are built on stays as their unnamed layer and is deleted with them. A missing image is success.
pub(crate) async fn delete(docker: &Docker, image: &str) -> Result<()> {
    let seen = match docker.inspect_image(image).await {
        Ok(seen) => seen,
        Err(error) if is_missing(&error) => return Ok(()),
        Err(error) => return Err(failed(ErrorKind::Build, format!("inspect image {image}"), &error)),
    };
    let labels = seen.config.and_then(|config| config.labels).unwrap_or_default();
    let references = seen.repo_tags.unwrap_or_default();
    if let Some(own) = labels.get(labels::REFERENCE).filter(|own| references.contains(own)) {
        untag(docker, own).await?;
    }
    let others = references.iter().any(|reference| Some(reference) != labels.get(labels::REFERENCE));
    if others {
        // It carries names that somebody else gave it, or a registry's.
        return Ok(());
    }
    let id = seen.id.unwrap_or_else(|| image.to_owned());
    match docker.remove_image(&id, None::<RemoveImageOptions>, None).await {
        Ok(_) => Ok(()),
        Err(error) if is_missing(&error) || is_conflict(&error) => Ok(()),
        Err(error) => Err(failed(ErrorKind::Build, format!("delete image {image}"), &error)),
    }
}

/// Undoes the image of a ledger entry: the one with this id, or that of this reference where `run` made it. Under the same
/// name there may be the image of an earlier run, which this one has not come to replace. A tested image was registered
/// before the run was cut off and stays: others may have found it.
pub(crate) async fn undo(docker: &Docker, id: Option<&str>, reference: &str, run: &str) -> Result<Undo> {
    let named = id.unwrap_or(reference);
    let seen = match docker.inspect_image(named).await {
        Ok(seen) => seen,
        Err(error) if is_missing(&error) => return Ok(Undo::Done),
        Err(error) => return Err(failed(ErrorKind::Build, format!("inspect image {named}"), &error)),
    };
    let labels = labels::tags(&seen.config.and_then(|config| config.labels).unwrap_or_default());
    let ours = id.is_some() || labels.get(tags::RUN).is_some_and(|own| own == run);
    match seen.id.filter(|_| ours) {
        None => Ok(Undo::Done),
        Some(_) if labels.contains_key(tags::TESTED) => Ok(Undo::Kept("it is registered and tested".to_owned())),
        Some(id) => delete(docker, &id).await.map(|()| Undo::Done),
    }
}

/// Removes a name, even when containers use the image.
async fn untag(docker: &Docker, reference: &str) -> Result<()> {
    let options = RemoveImageOptions { force: true, ..RemoveImageOptions::default() };
    match docker.remove_image(reference, Some(options), None).await {
        Ok(_) => Ok(()),
        Err(error) if is_missing(&error) => Ok(()),
        Err(error) => Err(failed(ErrorKind::Build, format!("remove the tag {reference}"), &error)),
    }
}
