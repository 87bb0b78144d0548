//! Gives a tested image its final name.

use ami_bake_core::ledger::{Closed, IMAGE, MACHINE};
use ami_bake_core::platform::{Candidate, ImageRecord, Registration};
use ami_bake_core::{Error, ErrorKind, Result, Run};
use bollard::Docker;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{CreateContainerOptions, RemoveContainerOptions};

use super::{Commit, commit, delete, list, record};
use crate::engine::{failed, is_missing};
use crate::machine::{new_name, own_labels};
use crate::platform::PLATFORM;
use crate::reference::{Reference, of_name};

/// How long the container that carries the labels over may live.
const LIFETIME: std::time::Duration = std::time::Duration::from_mins(10);

/// Commits the image again with its final labels, since an image's labels never change: the layers are the same, the
/// configuration is another. The candidate's name goes, and so does an image of the same version: on this platform a
/// fixed version is replaced once the tests passed.
pub(crate) async fn register(
    docker: &Docker,
    run: &Run,
    image: &Candidate,
    how: &Registration<'_>,
) -> Result<ImageRecord> {
    let reference = of_name(&how.plan.settings.name);
    is_free(docker, &reference, how).await?;
    let source = docker
        .inspect_image(&image.image.id)
        .await
        .map_err(|error| failed(ErrorKind::Publish, format!("register {reference}"), &error))?;
    let candidate = record(source.clone()).filter(|record| record.tested.is_none());

    let ticket = run.intend(PLATFORM, IMAGE, None, &reference.to_string())?;
    let config = source.config.unwrap_or_default();
    let made = with_container(docker, run, &image.image.id, how, |name| async move {
        let wanted = Commit { container: &name, config, plan: how.plan, tags: &how.tags, reference: &reference };
        commit(docker, wanted).await
    })
    .await
    .map_err(|error| error.into_kind(ErrorKind::Publish))?;
    let new = record(made).ok_or_else(|| Error::internal("an image was registered without ami-bake's own labels"))?;
    run.ledger().confirm(ticket, &new.id)?;

    if let Some(candidate) = candidate {
        delete(docker, &candidate.id).await?;
        run.ledger().close_id(IMAGE, &candidate.id, Closed::Deleted)?;
    }
    for old in list(docker).await? {
        let same = old.namespace == new.namespace && old.key == new.key && old.version == new.version;
        if same && old.id != new.id && old.tested.is_some() {
            delete(docker, &old.id).await?;
        }
    }
    run.ledger().close_id(IMAGE, &new.id, Closed::Published)?;
    Ok(new)
}

/// A name that stands for another image is not taken from it.
async fn is_free(docker: &Docker, reference: &Reference, how: &Registration<'_>) -> Result<()> {
    let seen = match docker.inspect_image(&reference.to_string()).await {
        Ok(seen) => seen,
        Err(error) if is_missing(&error) => return Ok(()),
        Err(error) => return Err(failed(ErrorKind::Publish, format!("register {reference}"), &error)),
    };
    match record(seen) {
        Some(record) if record.namespace == how.plan.namespace && record.key == how.plan.key => Ok(()),
        _ => Err(Error::taken(format!("the name {reference} belongs to another image of this engine"))
            .help("Choose another name with `publish.name`, or remove that image with `docker rmi`.")),
    }
}

/// A container of the image that never runs.
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
        // Never started; an image without a command would be refused.
        entrypoint: Some(vec!["/".to_owned()]),
        network_disabled: Some(true),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptions { name: Some(name.clone()), ..CreateContainerOptions::default() };
    if let Err(error) = docker.create_container(Some(options), body).await {
        run.ledger().close(ticket, Closed::Refused)?;
        return Err(failed(ErrorKind::Publish, format!("make a container of {image}"), &error));
    }
    run.ledger().confirm(ticket, &name)?;
    let done = work(name.clone()).await;
    let options = RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
    match docker.remove_container(&name, Some(options)).await {
        Ok(()) => run.ledger().close(ticket, Closed::Deleted)?,
        Err(error) if is_missing(&error) => run.ledger().close(ticket, Closed::Deleted)?,
        // The ledger still has it.
        Err(_) => {}
    }
    done
}
