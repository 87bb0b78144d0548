//! Finds the machines and images that earlier runs left behind.

use std::collections::HashMap;

use ami_bake_core::ledger::MACHINE;
use ami_bake_core::platform::Orphan;
use ami_bake_core::retention::expired as expired_images;
use ami_bake_core::{ErrorKind, Result, Run, tags};
use bollard::Docker;
use bollard::query_parameters::ListContainersOptions;

use crate::engine::failed;
use crate::image::list;
use crate::labels;

/// Finds expired machines and images: candidates, and tested pre-releases that no other image was built on.
pub(crate) async fn expired(docker: &Docker, run: &Run) -> Result<Vec<Orphan>> {
    let now = run.clock().now();
    let mut found = machines(docker).await?;
    found.retain(|machine| machine.expired.is_some_and(|at| at <= now));
    let all = list(docker).await?;
    found.extend(expired_images(&all, now).into_iter().map(|image| Orphan::image(image, now)));
    Ok(found)
}

/// All containers that are machines. A container that somebody started from a baked image has the image's labels, but
/// its name differs from the name in the label.
async fn machines(docker: &Docker) -> Result<Vec<Orphan>> {
    let filters = HashMap::from([("label".to_owned(), vec![labels::MACHINE.to_owned()])]);
    let options = ListContainersOptions { all: true, filters: Some(filters), ..ListContainersOptions::default() };
    let containers = docker
        .list_containers(Some(options))
        .await
        .map_err(|error| failed(ErrorKind::Preflight, "list the containers of the Docker daemon", &error))?;
    let machine = |container: bollard::models::ContainerSummary| {
        let labels = labels::tags(&container.labels?);
        let name = labels.get(labels::MACHINE)?.clone();
        let own = container.names?.iter().any(|given| given.trim_start_matches('/') == name);
        own.then(|| Orphan {
            kind: MACHINE.to_owned(),
            region: None,
            role: None,
            account: None,
            run: labels.get(tags::RUN).cloned(),
            expired: labels::expires(&labels),
            about: labels.get(labels::ABOUT).cloned().unwrap_or_default(),
            id: name,
        })
    };
    Ok(containers.into_iter().filter_map(machine).collect())
}
