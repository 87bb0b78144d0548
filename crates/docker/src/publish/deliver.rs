//! Brings an image to its repository. What is done already is looked up and not repeated.

use ami_bake_core::delivery::Delivery;
use ami_bake_core::event::{Event, Failure};
use ami_bake_core::plan::{ContainerPublish, ImagePlan};
use ami_bake_core::platform::ImageRecord;
use ami_bake_core::{Error, ErrorKind, Result, Run};
use bollard::Docker;
use bollard::query_parameters::TagImageOptions;

use super::login::login;
use super::push::{known, push, there};
use super::references::references;
use super::refused::refused;
use crate::engine::{Settings, failed, is_missing};
use crate::reference::Reference;

/// Does what the plan's `publish.docker` says; what came of a push is told as an event.
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
    let Some(wanted) = &plan.settings.container else { return Ok(()) };
    if !wanted.published {
        run.progress(format!("version {} is not published and stays in this engine", plan.version));
        return Ok(());
    }
    let mut delivery =
        Delivery { region: wanted.repository.clone(), account: None, image: None, done: Vec::new(), failure: None };
    let place = Place { docker, settings, run, wanted };
    let result = run.until_cancelled(place.deliver(image, &mut delivery)).await?;
    if wanted.push {
        delivery.failure = result.as_ref().err().map(Failure::from);
        run.emit(Event::Published { delivery });
    }
    result
}

/// A repository, and who brings what there.
struct Place<'a> {
    docker: &'a Docker,
    settings: &'a Settings,
    run: &'a Run,
    wanted: &'a ContainerPublish,
}

impl Place<'_> {
    async fn deliver(&self, image: &ImageRecord, delivery: &mut Delivery) -> Result<()> {
        let references = references(self.wanted)?;
        for reference in &references {
            self.tag(image, reference).await?;
        }
        if !self.wanted.push {
            return Ok(());
        }
        let (login, origin) = login(self.settings, self.run, self.wanted).await?;
        let known = known(self.docker, &image.id).await.map_err(|error| gone(image, &references[0], &error))?;
        for (at, reference) in references.iter().enumerate() {
            if let Some(digest) = there(self.docker, reference, &known, login.clone()).await {
                delivery.image = Some(digest);
                continue;
            }
            self.run.progress(format!("pushing {reference}"));
            let digest = push(self.docker, reference, login.clone())
                .await
                .map_err(|error| refused(image, &references[..at], &references[at..], origin, &error))?;
            delivery.image = digest.or(delivery.image.take());
            delivery.done.push(format!("pushed {}", reference.tag));
        }
        Ok(())
    }

    /// Gives the image a name in this engine; a name that another image has moves, as with `docker tag`.
    async fn tag(&self, image: &ImageRecord, reference: &Reference) -> Result<()> {
        let now = self.docker.inspect_image(&reference.to_string()).await;
        if now.is_ok_and(|now| now.id.as_ref() == Some(&image.id)) {
            return Ok(());
        }
        let options = TagImageOptions { repo: Some(reference.repository.clone()), tag: Some(reference.tag.clone()) };
        let tagged = self.docker.tag_image(&image.id, Some(options)).await;
        tagged.map_err(|error| gone(image, reference, &error))?;
        if !self.wanted.push {
            self.run.progress(format!("tagged {reference}"));
        }
        Ok(())
    }
}

/// The engine can't tag an image, most likely since somebody removed it meanwhile.
fn gone(image: &ImageRecord, reference: &Reference, error: &bollard::errors::Error) -> Error {
    let failure = failed(ErrorKind::Publish, format!("tag {reference}"), error);
    if is_missing(error) {
        return failure.help(format!("{} was removed from this engine meanwhile: bake it again.", image.name));
    }
    failure
}
