//! Deletes images.

use std::time::Duration;

use ami_bake_core::ledger::Entry;
use ami_bake_core::platform::Undo;
use ami_bake_core::{ErrorKind, Result, Run, tags};
use bollard::Docker;
use bollard::query_parameters::RemoveImageOptions;

use crate::engine::{failed, is_conflict, is_missing};
use crate::labels;

/// Pause between two checks whether an image exists.
const PAUSE: Duration = Duration::from_millis(100);
/// Number of checks for an image whose creation was not confirmed: 3 s in total, less than the time that a cancelled
/// run has for its clean-up.
const LOOKS: u32 = 30;

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
        // The image has other names, given by somebody else or by a push to a registry.
        return Ok(());
    }
    let id = seen.id.unwrap_or_else(|| image.to_owned());
    match docker.remove_image(&id, None::<RemoveImageOptions>, None).await {
        Ok(_) => Ok(()),
        Err(error) if is_missing(&error) || is_conflict(&error) => Ok(()),
        Err(error) => Err(failed(ErrorKind::Build, format!("delete image {image}"), &error)),
    }
}

/// Undoes the image of a ledger entry: the image with the entry's id, or the image with its reference if `entry.run`
/// created it (an image of an earlier run may have the same name). A tested image was registered before the run was cut
/// off and stays: other runs may already use it. A busy daemon may create an image after the request was given up, so a
/// missing image counts as deleted only after several checks.
pub(crate) async fn undo(docker: &Docker, run: &Run, entry: &Entry) -> Result<Undo> {
    let (named, looks) = match &entry.id {
        Some(id) => (id, 1),
        None => (&entry.find_by, LOOKS),
    };
    for look in 0..looks {
        if look > 0 {
            run.clock().sleep(PAUSE).await;
        }
        let seen = match docker.inspect_image(named).await {
            Ok(seen) => seen,
            Err(error) if is_missing(&error) => continue,
            Err(error) => return Err(failed(ErrorKind::Build, format!("inspect image {named}"), &error)),
        };
        let labels = labels::tags(&seen.config.and_then(|config| config.labels).unwrap_or_default());
        let ours = entry.id.is_some() || labels.get(tags::RUN) == Some(&entry.run);
        match seen.id.filter(|_| ours) {
            None => {}
            Some(_) if labels.contains_key(tags::TESTED) => {
                return Ok(Undo::Kept("it is registered and tested".to_owned()));
            }
            Some(id) => return delete(docker, &id).await.map(|()| Undo::Done),
        }
    }
    Ok(Undo::Done)
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
