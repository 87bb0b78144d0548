//! Tags a registered image for a registry and pushes it.

use ami_bake_core::plan::{ContainerPublish, ImagePlan};
use ami_bake_core::platform::ImageRecord;
use ami_bake_core::{Error, Kind, Result, Run};
use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::query_parameters::{PushImageOptions, TagImageOptions};
use futures::StreamExt;
use secrecy::ExposeSecret;

use crate::credentials;
use crate::engine::{Settings, failed};
use crate::reference::{Reference, is_repository, is_tag, registry};

/// Does what the plan's `publish.docker` says. Tagging and pushing what is there already changes nothing.
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
    let references = references(wanted)?;
    for reference in &references {
        let options = TagImageOptions { repo: Some(reference.repository.clone()), tag: Some(reference.tag.clone()) };
        docker
            .tag_image(&image.id, Some(options))
            .await
            .map_err(|error| failed(Kind::Publish, format!("tag {reference}"), &error))?;
    }
    if !wanted.push {
        return Ok(());
    }
    let login = login(settings, run, wanted).await?;
    for (at, reference) in references.iter().enumerate() {
        run.progress(format!("pushing {reference}"));
        run.until_cancelled(push(docker, reference, login.clone())).await?.map_err(|error| {
            let host = reference.registry();
            failed(Kind::Publish, format!("push {reference}"), &error).help(format!(
                "{} The image itself is published in this engine as {}; run the bake again to push it, nothing is built \
                 anew. Where the registry refused the credentials, see `publish.docker.login` or `docker login {host}`.",
                happened(&references[..at], &references[at..]),
                image.name
            ))
        })?;
    }
    Ok(())
}

/// One reference for each tag; the version's `+` is `_`, as in names.
fn references(wanted: &ContainerPublish) -> Result<Vec<Reference>> {
    let repository = &wanted.repository;
    if !is_repository(repository) {
        return Err(Error::new(Kind::Publish, format!("tag the image for {repository:?}: it is no repository"))
            .help("Write `repository` as registry.example.com/team/image: lower case, without a tag."));
    }
    let one = |tag: &String| {
        let tag = tag.replace('+', "_");
        if is_tag(&tag) {
            return Ok(Reference { repository: repository.clone(), tag });
        }
        Err(Error::new(Kind::Publish, format!("tag the image {repository}:{tag}: {tag:?} is no tag"))
            .help("A tag has letters, digits, `_`, `.` and `-`, 128 at most, and begins with none of the last two."))
    };
    let latest = vec!["latest".to_owned()];
    let tags = if wanted.tags.is_empty() { &latest } else { &wanted.tags };
    tags.iter().map(one).collect()
}

/// The manifest's own credentials, else those that Docker's own client would use.
async fn login(settings: &Settings, run: &Run, wanted: &ContainerPublish) -> Result<Option<DockerCredentials>> {
    let host = registry(&wanted.repository);
    let found = match &wanted.login {
        Some(login) => Some(DockerCredentials {
            username: Some(login.username.expose(run.secrets()).expose_secret().to_owned()),
            password: Some(login.password.expose(run.secrets()).expose_secret().to_owned()),
            serveraddress: Some(host.to_owned()),
            ..DockerCredentials::default()
        }),
        None => credentials::for_registry(settings, host).await.map_err(|error| error.into_kind(Kind::Publish))?,
    };
    for secret in found.iter().flat_map(|found| [&found.password, &found.identitytoken]).flatten() {
        run.masker().add(secret);
    }
    Ok(found)
}

async fn push(
    docker: &Docker,
    reference: &Reference,
    login: Option<DockerCredentials>,
) -> Result<(), bollard::errors::Error> {
    let options = PushImageOptions { tag: Some(reference.tag.clone()), ..PushImageOptions::default() };
    let mut progress = docker.push_image(&reference.repository, Some(options), login);
    while let Some(told) = progress.next().await {
        told?;
    }
    Ok(())
}

/// What was pushed before the failure, and what was not.
fn happened(done: &[Reference], open: &[Reference]) -> String {
    let list = |references: &[Reference]| references.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match done {
        [] => format!("Nothing was pushed: {} is missing in the registry.", list(open)),
        done => format!("Pushed: {}. Not pushed: {}.", list(done), list(open)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(repository: &str, tags: &[&str]) -> ContainerPublish {
        ContainerPublish {
            repository: repository.to_owned(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            push: true,
            published: true,
            login: None,
            changes: ami_bake_core::plan::ContainerChanges::default(),
        }
    }

    #[test]
    fn tags_are_versions_too() {
        let made = references(&wanted("r.example.com/shop/web", &["1.2.3+build", "latest"])).unwrap();
        let made: Vec<String> = made.iter().map(ToString::to_string).collect();
        assert_eq!(made, ["r.example.com/shop/web:1.2.3_build", "r.example.com/shop/web:latest"]);
        assert_eq!(references(&wanted("web", &[])).unwrap()[0].to_string(), "web:latest");
        assert!(references(&wanted("web", &["a b"])).unwrap_err().message().contains("\"a b\" is no tag"));
        assert!(references(&wanted("Web", &[])).unwrap_err().message().contains("no repository"));
    }

    #[test]
    fn a_failure_says_what_did_happen() {
        let all = references(&wanted("web", &["1", "2", "3"])).unwrap();
        assert_eq!(happened(&all[..1], &all[1..]), "Pushed: web:1. Not pushed: web:2, web:3.");
    }
}
