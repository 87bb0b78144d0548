//! Unpacks root file systems in tar files, each once, into a layer named by its content.

use std::path::Path;

use ami_bake_core::plan::Digest;
use ami_bake_core::{Error, ErrorKind, Result};

use super::identity;
use super::root::check;
use crate::sandbox::{FileTask, Helper};
use crate::store::{Store, TARBALL_LAYER, store_error};

/// Unpacks a tarball, and returns the name of its layer and the digest of its content.
pub(super) async fn unpacked(store: &Store, helper: &Helper, path: &Path) -> Result<(String, Digest)> {
    let file = path.to_owned();
    let digest = tokio::task::spawn_blocking(move || identity::of_file(&file))
        .await
        .map_err(|error| Error::internal("could not hash a tarball").because(error))??;
    let layer = format!("{TARBALL_LAYER}{}", digest.as_str().trim_start_matches("sha256:"));
    let folder = store.layer(&layer);
    if folder.is_dir() {
        return Ok((layer, digest));
    }
    // In the trash folder until it is complete, so that the remains of a killed process are removed.
    let partial = store.trash_folder().join(format!("unpack-{}", uuid::Uuid::new_v4().simple()));
    let unpacked = match unpack_into(helper, path, &partial).await {
        Ok(()) => match std::fs::rename(&partial, &folder) {
            // Another process unpacked the same tarball meanwhile.
            Err(_) if folder.is_dir() => Ok(()),
            other => other.map_err(|error| store_error("create the layer", &folder, error)),
        },
        Err(error) => Err(error),
    };
    if partial.exists() {
        helper.files(&FileTask::Remove { paths: vec![partial] }).await?;
    }
    unpacked.map(|()| (layer, digest))
}

async fn unpack_into(helper: &Helper, tarball: &Path, to: &Path) -> Result<()> {
    let unpacked = helper.files(&FileTask::Unpack { tarball: tarball.to_owned(), to: to.to_owned() }).await;
    unpacked.map_err(|error| error.into_kind(ErrorKind::Preflight))?;
    if to.join("oci-layout").is_file() || to.join("manifest.json").is_file() {
        return Err(Error::preflight(format!(
            "could not use {} as a root file system: it is a container image archive",
            tarball.display()
        ))
        .help("Create a root file system with `docker create IMAGE` and `docker export`, or use --platform docker."));
    }
    check(to, &tarball.display().to_string())
}
