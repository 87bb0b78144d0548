//! Registers a tested image: commits it under its final name and labels.

use ami_bake_core::ledger::{Closed, IMAGE, MACHINE};
use ami_bake_core::platform::{Candidate, ImageRecord, Registration};
use ami_bake_core::{Error, ErrorKind, Result, Run};
use bollard::Docker;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{CreateContainerOptions, RemoveContainerOptions};

use crate::capabilities::PLATFORM;
use crate::engine::{failed, is_missing};
use crate::image::{Commit, commit, delete, list, record};
use crate::machine::{new_name, own_labels};
use crate::reference::{Reference, of_name};

/// The lifetime of the container that sets the labels.
const LIFETIME: std::time::Duration = std::time::Duration::from_mins(10);

/// Commits the image again with its final labels, since the labels of an existing image can't change; the layers are the
/// same. The candidate is deleted, and so is an older image of the same version: on this platform a fixed version is
/// replaced once the tests have passed.
pub(crate) async fn register(
    docker: &Docker,
    run: &Run,
    image: &Candidate,
    how: &Registration<'_>,
) -> Result<ImageRecord> {
    let reference = of_name(&how.plan.settings.name);
    check_name(docker, &reference, how).await?;
    let source = docker
        .inspect_image(&image.image.id)
        .await
        .map_err(|error| failed(ErrorKind::Publish, format!("register {reference}"), &error))?;
    let candidate = record(source.clone()).filter(|record| record.tested.is_none());

    let ticket = run.intend(PLATFORM, IMAGE, None, &reference.to_string())?;
    let config = source.config.unwrap_or_default();
    let committed = with_container(docker, run, &image.image.id, how, |name| async move {
        let options = Commit { container: &name, config, plan: how.plan, tags: &how.tags, reference: &reference };
        commit(docker, options).await
    })
    .await
    .map_err(|error| error.into_kind(ErrorKind::Publish))?;
    let new =
        record(committed).ok_or_else(|| Error::internal("an image was registered without ami-bake's own labels"))?;
    run.ledger().confirm(ticket, &new.id);

    run.ledger().close_id(IMAGE, &new.id, Closed::Published);
    // The image exists, so a failed clean-up does not fail the bake. A candidate stays in the ledger, so its deletion
    // is retried.
    if let Some(candidate) = candidate
        && delete(docker, &candidate.id).await.is_ok()
    {
        run.ledger().close_id(IMAGE, &candidate.id, Closed::Deleted);
    }
    if let Err(error) = delete_replaced(docker, &new).await {
        let help = "It is a tested image of the same version without a name: `docker image prune` deletes it.";
        run.warn(format!("could not delete what {} replaces: {error}", new.name), Some(help.to_owned()));
    }
    Ok(new)
}

/// Deletes older images of the same version.
async fn delete_replaced(docker: &Docker, new: &ImageRecord) -> Result<()> {
    for old in list(docker).await? {
        let same = old.namespace == new.namespace && old.key == new.key && old.version == new.version;
        if same && old.id != new.id && old.tested.is_some() {
            delete(docker, &old.id).await?;
        }
    }
    Ok(())
}

/// Refuses a name that another image has already.
async fn check_name(docker: &Docker, reference: &Reference, how: &Registration<'_>) -> Result<()> {
    let found = match docker.inspect_image(&reference.to_string()).await {
        Ok(found) => found,
        Err(error) if is_missing(&error) => return Ok(()),
        Err(error) => return Err(failed(ErrorKind::Publish, format!("register {reference}"), &error)),
    };
    match record(found) {
        Some(record) if record.namespace == how.plan.namespace && record.key == how.plan.key => Ok(()),
        _ => Err(Error::taken(format!("the name {reference} is already used by another image in the Docker daemon"))
            .help("Set another `publish.name`, or remove that image with `docker rmi`.")),
    }
}

/// Runs `work` with the name of a container of the image, which is never started and is removed afterwards.
async fn with_container<T, F: Future<Output = Result<T>>>(
    docker: &Docker,
    run: &Run,
    image: &str,
    how: &Registration<'_>,
    work: impl FnOnce(String) -> F,
) -> Result<T> {
    let name = new_name();
    let ticket = run.intend(PLATFORM, MACHINE, None, &name)?;
    let about = format!("labels of {}/{}", how.plan.namespace, how.plan.key);
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        labels: Some(own_labels(run, &name, &about, LIFETIME)),
        // Never run, but the daemon refuses a container without a command.
        entrypoint: Some(vec!["/".to_owned()]),
        network_disabled: Some(true),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptions { name: Some(name.clone()), ..CreateContainerOptions::default() };
    if let Err(error) = docker.create_container(Some(options), body).await {
        run.ledger().close(ticket, Closed::Refused);
        return Err(failed(ErrorKind::Publish, format!("create a container from {image}"), &error));
    }
    run.ledger().confirm(ticket, &name);
    let done = work(name.clone()).await;
    let options = RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
    match docker.remove_container(&name, Some(options)).await {
        Ok(()) => run.ledger().close(ticket, Closed::Deleted),
        Err(error) if is_missing(&error) => run.ledger().close(ticket, Closed::Deleted),
        // The ledger still has it, so that the clean-up at the end of the run retries.
        Err(_) => {}
    }
    done
}
