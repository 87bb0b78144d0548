//! Launches a machine.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::ledger::{Closed, MACHINE};
use ami_bake_core::platform::Launch;
use ami_bake_core::{Error, ErrorKind, Result, Run, tags};
use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig, ImageConfig};
use bollard::query_parameters::{CreateContainerOptions, StartContainerOptions};

use super::container::Container;
use super::network;
use super::remove::remove;
use super::state::ContainerState;
use crate::capabilities::PLATFORM;
use crate::engine::{failed, message};
use crate::labels;

/// A new, unique name for a container, known before the container exists.
pub(crate) fn new_name() -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    format!("ami-bake-{}", &id[..12])
}

/// The labels of a container of a bake: its name, purpose and run, and when `sweep` may remove it.
pub(crate) fn own_labels(run: &Run, name: &str, about: &str, lifetime: Duration) -> HashMap<String, String> {
    let now = run.clock().now();
    let expires = now.checked_add(lifetime).unwrap_or(now);
    HashMap::from([
        (labels::MACHINE.to_owned(), name.to_owned()),
        (labels::ABOUT.to_owned(), about.to_owned()),
        (tags::RUN.to_owned(), run.id().to_owned()),
        (tags::EXPIRES.to_owned(), expires.to_string()),
    ])
}

/// Starts a container from the source. It is recorded in the ledger before it is created.
pub(crate) async fn launch(run: &Run, docker: &Docker, launch: &Launch<'_>) -> Result<Container> {
    let source = launch.source;
    let image = docker
        .inspect_image(&source.id)
        .await
        .map_err(|error| failed(ErrorKind::Build, format!("inspect the source image {}", source.name), &error))?;
    let config = image.config.unwrap_or_default();
    warn_of_volumes(run, &config);
    let network = network::of(docker, launch.machine.network).await?;

    let name = new_name();
    let about = format!("{} of {}/{}", launch.phase.as_str(), launch.namespace, launch.key);
    let mut labels = own_labels(run, &name, &about, launch.lifetime);
    labels.extend(launch.machine.tags.iter().map(|(key, value)| (key.clone(), value.clone())));
    let shares_host = network == network::HOST;
    let body = ContainerCreateBody {
        image: Some(source.id.clone()),
        hostname: Some(launch.key.host_name()).filter(|name| !shares_host && !name.is_empty()),
        labels: Some(labels),
        entrypoint: Some(sleeper(launch.lifetime)),
        open_stdin: Some(true),
        host_config: Some(HostConfig {
            // An init reaps the processes that steps leave behind.
            init: Some(true),
            network_mode: Some(network),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let ticket = run.intend(PLATFORM, MACHINE, None, &name)?;
    let options = CreateContainerOptions { name: Some(name.clone()), ..CreateContainerOptions::default() };
    if let Err(error) = docker.create_container(Some(options), body).await {
        run.ledger().close(ticket, Closed::Refused);
        return Err(failed(ErrorKind::Build, format!("create a container from {}", source.name), &error));
    }
    run.ledger().confirm(ticket, &name);
    if let Err(error) = docker.start_container(&name, None::<StartContainerOptions>).await {
        // If this fails too, the ledger still has the container.
        if remove(docker, run, &name).await.is_ok() {
            run.ledger().close(ticket, Closed::Deleted);
        }
        return Err(not_started(&source.name, &error));
    }
    Ok(Container { state: Arc::new(ContainerState { docker: docker.clone(), name, config }) })
}

/// A shell that sleeps for the lifetime of the machine, so that a container that nobody stops ends by itself and `sweep`
/// can remove it. It ignores TERM, so that it outlives the processes that are stopped before a capture. In an image
/// without `sleep` it waits for input that never comes.
fn sleeper(lifetime: Duration) -> Vec<String> {
    let script = format!("trap '' TERM INT HUP; sleep {} || read -r line", lifetime.as_secs().max(1));
    ["/bin/sh", "-c", &script].map(str::to_owned).to_vec()
}

fn not_started(source: &str, error: &bollard::errors::Error) -> Error {
    let message = message(error).0;
    let failure = failed(ErrorKind::Build, format!("start a container from {source}"), error);
    if message.contains("/bin/sh") {
        failure.help(
            "Steps run in the image's own shell, and this image has no /bin/sh. Use a source image that has one, such as debian or alpine.",
        )
    } else if message.contains("docker-init") {
        failure.help("The daemon needs docker-init. On Debian and Ubuntu: `apt-get install docker.io`.")
    } else if message.contains("exec format error") {
        failure.help("The image is for another processor architecture than the daemon's machine.")
    } else {
        failure.help("The daemon's log may show more: `journalctl -u docker`.")
    }
}

/// Warns that a commit does not include volumes (`docker commit` reference), which is easy to miss.
fn warn_of_volumes(run: &Run, config: &ImageConfig) {
    let volumes = config.volumes.clone().unwrap_or_default();
    if !volumes.is_empty() {
        run.warn(
            format!("files under {} do not become part of the image", volumes.join(", ")),
            Some("The source image declares a volume there, and `docker commit` does not include volumes.".to_owned()),
        );
    }
}
