//! Reads images of the daemon, and ami-bake's records from their labels.

use std::collections::{BTreeMap, HashMap};

use ami_bake_core::plan::{Architecture, Digest, ImageKey, SourceImage};
use ami_bake_core::platform::ImageRecord;
use ami_bake_core::{ErrorKind, Result, tags};
use bollard::Docker;
use bollard::models::ImageInspect;
use bollard::query_parameters::ListImagesOptions;

use crate::engine::{failed, is_missing};
use crate::labels;

/// All images that ami-bake created, candidates included.
pub(crate) async fn list(docker: &Docker) -> Result<Vec<ImageRecord>> {
    let filters = HashMap::from([("label".to_owned(), vec![tags::NAME.to_owned()])]);
    let options = ListImagesOptions { filters: Some(filters), ..ListImagesOptions::default() };
    let list_error =
        |error: &bollard::errors::Error| failed(ErrorKind::Preflight, "list the images of the Docker daemon", error);
    let found = docker.list_images(Some(options)).await.map_err(|error| list_error(&error))?;
    let mut images = Vec::new();
    for summary in found {
        if !is_named(&labels::tags(&summary.labels), &summary.repo_tags) {
            continue;
        }
        match docker.inspect_image(&summary.id).await {
            Ok(seen) => images.extend(record(seen)),
            // Deleted since the list was fetched.
            Err(error) if is_missing(&error) => {}
            Err(error) => return Err(list_error(&error)),
        }
    }
    Ok(images)
}

/// The image as a record of ami-bake; `None` when ami-bake did not create it, or when it is only a layer of others.
pub(crate) fn record(seen: ImageInspect) -> Option<ImageRecord> {
    let architecture = architecture(&seen);
    let created = created(&seen);
    let labels = seen.config.and_then(|config| config.labels).unwrap_or_default();
    let tags = labels::tags(&labels);
    if !is_named(&tags, seen.repo_tags.as_deref().unwrap_or_default()) {
        return None;
    }
    let text = |key: &str| tags.get(key).cloned();
    Some(ImageRecord {
        id: seen.id?,
        name: text("Name").or_else(|| text(labels::REFERENCE))?,
        region: None,
        account: None,
        namespace: text(tags::NAME)?,
        key: ImageKey { image: text(tags::IMAGE)?, variant: tags::variant(&tags).cloned() },
        version: text(tags::VERSION)?.parse().ok()?,
        digest: Digest::from_text(text(tags::DIGEST)?),
        tested: text(tags::TESTED).and_then(|at| at.parse().ok()),
        created,
        available: true,
        architecture,
        size: seen.size.and_then(|size| u64::try_from(size).ok()),
        parts: seen.root_fs.and_then(|root| root.layers).unwrap_or_default(),
        tags,
    })
}

/// Any image as a source. `name` is the reference or id in the manifest.
pub(crate) fn source_image(seen: ImageInspect, name: &str) -> Option<SourceImage> {
    if let Some(record) = record(seen.clone()) {
        return Some(record.as_source());
    }
    let (architecture, created) = (architecture(&seen), created(&seen));
    let labels = seen.config.and_then(|config| config.labels).unwrap_or_default();
    let id = seen.id?;
    Some(SourceImage {
        name: name.to_owned(),
        owner: crate::reference::registry(name).to_owned(),
        created,
        tags: labels::tags(&labels),
        architecture,
        identity: id.clone(),
        version: None,
        id,
    })
}

fn is_named(tags: &BTreeMap<String, String>, references: &[String]) -> bool {
    tags.get(labels::REFERENCE).is_some_and(|own| references.contains(own))
}

/// The architecture; images name it as Go does (`amd64`, `arm64`).
fn architecture(seen: &ImageInspect) -> Option<Architecture> {
    match seen.architecture.as_deref() {
        Some("amd64") => Some(Architecture::X86_64),
        Some("arm64") => Some(Architecture::Arm64),
        _ => None,
    }
}

fn created(seen: &ImageInspect) -> Option<jiff::Timestamp> {
    seen.created.as_deref().and_then(|at| at.parse().ok())
}
