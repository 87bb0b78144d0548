//! Tags an image and pushes it to its repository. An image that the registry has already is not pushed again.

use ami_bake_core::delivery::Delivery;
use ami_bake_core::event::{Event, Failure};
use ami_bake_core::plan::{ContainerPublish, ImagePlan};
use ami_bake_core::platform::ImageRecord;
use ami_bake_core::{Error, ErrorKind, Result, Run};
use bollard::Docker;
use bollard::query_parameters::TagImageOptions;

use super::login::login;
use super::push::{known_digests, push, pushed_digest};
use super::push_error::push_error;
use super::references::references;
use crate::engine::{Settings, failed, is_missing};
use crate::reference::Reference;

/// Publishes the image according to `publish.docker`, and emits an event about the push.
///
/// # Errors
/// [`ErrorKind::Publish`], with what was pushed and what was not.
pub(crate) async fn publish(
    docker: &Docker,
    settings: &Settings,
    run: &Run,
    plan: &ImagePlan,
    image: &ImageRecord,
) -> Result<()> {
    let Some(publish) = &plan.settings.container else { return Ok(()) };
    if !publish.published {
        run.progress(format!("Version {} is not published; it is kept in the Docker daemon", plan.version));
        return Ok(());
    }
    let mut delivery =
        Delivery { region: publish.repository.clone(), account: None, image: None, done: Vec::new(), failure: None };
    let publisher = Publisher { docker, settings, run, publish };
    let result = run.until_cancelled(publisher.deliver(image, &mut delivery)).await?;
    if publish.push {
        delivery.failure = result.as_ref().err().map(Failure::from);
        run.emit(Event::Published { delivery });
    }
    result
}

/// Publishes to one repository.
struct Publisher<'a> {
    docker: &'a Docker,
    settings: &'a Settings,
    run: &'a Run,
    publish: &'a ContainerPublish,
}

impl Publisher<'_> {
    async fn deliver(&self, image: &ImageRecord, delivery: &mut Delivery) -> Result<()> {
        let references = references(self.publish)?;
        for reference in &references {
            self.tag(image, reference).await?;
        }
        if !self.publish.push {
            return Ok(());
        }
        let (login, source) = login(self.settings, self.run, self.publish).await?;
        let known =
            known_digests(self.docker, &image.id).await.map_err(|error| tag_error(image, &references[0], &error))?;
        for (at, reference) in references.iter().enumerate() {
            if let Some(digest) = pushed_digest(self.docker, reference, &known, login.clone()).await {
                delivery.image = Some(digest);
                continue;
            }
            self.run.progress(format!("Pushing {reference}"));
            let digest = push(self.docker, reference, login.clone())
                .await
                .map_err(|error| push_error(image, &references[..at], &references[at..], source, &error))?;
            delivery.image = digest.or(delivery.image.take());
            delivery.done.push(format!("pushed {}", reference.tag));
        }
        Ok(())
    }

    /// Tags the image in the daemon; a tag of another image moves, as with `docker tag`.
    async fn tag(&self, image: &ImageRecord, reference: &Reference) -> Result<()> {
        let current = self.docker.inspect_image(&reference.to_string()).await;
        if current.is_ok_and(|current| current.id.as_ref() == Some(&image.id)) {
            return Ok(());
        }
        let options = TagImageOptions { repo: Some(reference.repository.clone()), tag: Some(reference.tag.clone()) };
        let tagged = self.docker.tag_image(&image.id, Some(options)).await;
        tagged.map_err(|error| tag_error(image, reference, &error))?;
        if !self.publish.push {
            self.run.progress(format!("Tagged {reference}"));
        }
        Ok(())
    }
}

/// The error when the daemon can't tag an image, most likely because somebody removed it meanwhile.
fn tag_error(image: &ImageRecord, reference: &Reference, error: &bollard::errors::Error) -> Error {
    let failure = failed(ErrorKind::Publish, format!("tag {reference}"), error);
    if is_missing(error) {
        return failure.help(format!("{} was removed from the Docker daemon meanwhile; bake it again.", image.name));
    }
    failure
}
