//! Finds the source image: by reference, by id, or as an image baked before.

use ami_bake_core::plan::{BakedQuery, SourceImage, SourceQuery};
use ami_bake_core::{Error, ErrorKind, Result, Run};
use bollard::Docker;
use bollard::query_parameters::CreateImageOptions;
use futures::StreamExt;

use crate::credentials;
use crate::engine::{Settings, failed, is_missing};
use crate::image::{list, source_image};
use crate::reference::{Reference, is_id};

/// Finds the source; a reference that the daemon does not have is pulled.
pub(crate) async fn find(docker: &Docker, settings: &Settings, run: &Run, query: &SourceQuery) -> Result<SourceImage> {
    match query {
        SourceQuery::Id(text) | SourceQuery::Reference(text) if is_id(text) => by_id(docker, text).await,
        SourceQuery::Id(text) | SourceQuery::Reference(text) => by_reference(docker, settings, run, text).await,
        SourceQuery::Baked(query) => baked(docker, query).await,
        SourceQuery::Newest { .. } | SourceQuery::Parameter(_) | SourceQuery::Disk(_) => {
            Err(Error::preflight("could not find the source: the Docker platform finds images by reference or ID only")
                .help("Set `docker: IMAGE` under `source`, for example `docker: ubuntu:24.04`."))
        }
    }
}

async fn by_id(docker: &Docker, id: &str) -> Result<SourceImage> {
    match inspect(docker, id, id).await? {
        Some(found) => Ok(found),
        None => Err(Error::preflight(format!("no image with the ID {id}"))
            .help("`docker images --no-trunc` lists the local images. Only images named by a reference are pulled.")),
    }
}

async fn by_reference(docker: &Docker, settings: &Settings, run: &Run, text: &str) -> Result<SourceImage> {
    let reference = Reference::parse(text)?;
    let name = reference.to_string();
    if let Some(found) = inspect(docker, &name, text).await? {
        return Ok(found);
    }
    pull(docker, settings, run, &reference).await?;
    inspect(docker, &name, text)
        .await?
        .ok_or_else(|| Error::preflight(format!("could not find image {name}: it is missing after the pull")))
}

async fn inspect(docker: &Docker, image: &str, name: &str) -> Result<Option<SourceImage>> {
    match docker.inspect_image(image).await {
        Ok(seen) => Ok(source_image(seen, name)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(failed(ErrorKind::Preflight, format!("inspect image {image}"), &error)),
    }
}

async fn pull(docker: &Docker, settings: &Settings, run: &Run, reference: &Reference) -> Result<()> {
    run.progress(format!("Pulling {reference}"));
    let credentials = credentials::for_registry(settings, reference.registry()).await?;
    if let Some(secret) = credentials.as_ref().and_then(|found| found.password.as_deref()) {
        run.masker().add(secret);
    }
    let options = CreateImageOptions {
        from_image: Some(reference.repository.clone()),
        tag: Some(reference.tag.clone()),
        ..CreateImageOptions::default()
    };
    let mut progress = docker.create_image(Some(options), None, credentials);
    while let Some(update) = progress.next().await {
        if let Err(error) = update {
            let registry = reference.registry();
            return Err(failed(ErrorKind::Preflight, format!("pull {reference}"), &error).help(format!(
                "Check the name and that {registry} can be reached. If the image is private, run `docker login {registry}` \
                 first."
            )));
        }
    }
    Ok(())
}

/// The highest tested version in the query's range.
async fn baked(docker: &Docker, query: &BakedQuery) -> Result<SourceImage> {
    let highest = list(docker)
        .await?
        .into_iter()
        .filter(|image| image.satisfies(query))
        .max_by(|one, other| one.version.cmp(&other.version));
    highest.map(|image| image.as_source()).ok_or_else(|| {
        let range = query.version.as_ref().map(|range| format!(" {range}")).unwrap_or_default();
        Error::preflight(format!(
            "no tested image `{}/{}{range}` in the Docker daemon",
            query.namespace, query.key
        ))
        .help(
            "`ami-bake images --platform docker` lists the images. Bake that image first, or widen the version range.",
        )
    })
}
