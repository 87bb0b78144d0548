//! Starts a machine.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::ledger::{Closed, MACHINE};
use ami_bake_core::platform::Launch;
use ami_bake_core::{Error, ErrorKind, Result, Run, tags};
use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig, ImageConfig};
use bollard::query_parameters::{CreateContainerOptions, StartContainerOptions};

use super::container::{Container, Shared};
use super::{network, remove};
use crate::engine::{failed, said};
use crate::labels;
use crate::platform::PLATFORM;

/// The longest host name that Linux takes.
const NAME_LIMIT: usize = 64;

/// A name for a container: it is known before the container is, and is never another's.
pub(crate) fn new_name() -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    format!("ami-bake-{}", &id[..12])
}

/// What says that a container is ours, of which run, and when sweep may take it.
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

/// Starts a container on the source, in the ledger before it is made.
pub(crate) async fn launch(run: &Run, docker: &Docker, launch: &Launch<'_>) -> Result<Container> {
    let source = launch.source;
    let seen = docker
        .inspect_image(&source.id)
        .await
        .map_err(|error| failed(ErrorKind::Build, format!("start from {}", source.name), &error))?;
    let config = seen.config.unwrap_or_default();
    warn_of_volumes(run, &config);
    let network = network::of(docker, launch.machine.network).await?;

    let name = new_name();
    let about = format!("{} of {}/{}", launch.phase.as_str(), launch.namespace, launch.key);
    let mut labels = own_labels(run, &name, &about, launch.lifetime);
    labels.extend(launch.machine.tags.iter().map(|(key, value)| (key.clone(), value.clone())));
    let shares_host = network == network::HOST;
    let body = ContainerCreateBody {
        image: Some(source.id.clone()),
        hostname: Some(host_name(&launch.key.to_string())).filter(|_| !shares_host),
        labels: Some(labels),
        entrypoint: Some(sleeper(launch.lifetime)),
        open_stdin: Some(true),
        host_config: Some(HostConfig {
            // Reaps what steps leave behind, as an init does.
            init: Some(true),
            network_mode: Some(network),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let ticket = run.intend(PLATFORM, MACHINE, None, &name)?;
    let options = CreateContainerOptions { name: Some(name.clone()), ..CreateContainerOptions::default() };
    if let Err(error) = docker.create_container(Some(options), body).await {
        run.ledger().close(ticket, Closed::Refused)?;
        return Err(failed(ErrorKind::Build, format!("make a container of {}", source.name), &error));
    }
    run.ledger().confirm(ticket, &name)?;
    if let Err(error) = docker.start_container(&name, None::<StartContainerOptions>).await {
        // The ledger still has it should this fail too.
        if remove(docker, &name).await.is_ok() {
            run.ledger().close(ticket, Closed::Deleted)?;
        }
        return Err(not_started(&source.name, &error));
    }
    Ok(Container { shared: Arc::new(Shared { docker: docker.clone(), name, config }) })
}

/// A shell that sleeps as long as the machine may live: a container that nobody ends ends by itself, and sweep takes
/// what is left of it. It is deaf to TERM, so that it outlives the processes that are asked to end before a capture. An
/// image without `sleep` waits for a line on an input that nobody writes to.
fn sleeper(lifetime: Duration) -> Vec<String> {
    let script = format!("trap '' TERM INT HUP; sleep {} || read -r line", lifetime.as_secs().max(1));
    ["/bin/sh", "-c", &script].map(str::to_owned).to_vec()
}

fn not_started(source: &str, error: &bollard::errors::Error) -> Error {
    let words = said(error).0;
    let failure = failed(ErrorKind::Build, format!("start a container of {source}"), error);
    if words.contains("/bin/sh") {
        failure.help(
            "Steps run in the image's own shell, and this image has no /bin/sh. Start from one that has, such as debian or alpine.",
        )
    } else if words.contains("docker-init") {
        failure.help("The engine lacks docker-init: install it, on Debian and Ubuntu with `apt-get install docker.io`.")
    } else if words.contains("exec format error") {
        failure.help("The image is for another processor architecture than the engine's.")
    } else {
        failure.help("The engine's own log tells more: `journalctl -u docker`.")
    }
}

/// A commit leaves volumes out (`docker commit` reference), and nobody would notice before production.
fn warn_of_volumes(run: &Run, config: &ImageConfig) {
    let volumes = config.volumes.clone().unwrap_or_default();
    if !volumes.is_empty() {
        run.warn(
            format!("what is written to {} does not become part of the image", volumes.join(", ")),
            Some("The source image declares it as a volume, and Docker leaves volumes out of images.".to_owned()),
        );
    }
}

/// The image's name with what a host name may hold (hostname(7)).
fn host_name(key: &str) -> String {
    let name: String =
        key.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let name = name.get(..NAME_LIMIT).unwrap_or(&name).trim_matches('-');
    if name.is_empty() { "container".to_owned() } else { name.to_owned() }
}
