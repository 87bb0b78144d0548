//! A root file system in a tar file: unpacked once, by its content.

use std::path::Path;

use ami_bake_core::plan::Digest;
use ami_bake_core::{Error, ErrorKind, Result};

use super::find::check;
use super::identity;
use crate::machine::Helper;
use crate::sandbox::Work;
use crate::store::{Store, exists_error};

/// How the names of layers that were unpacked from tarballs begin.
pub(crate) const TARBALL_LAYER: &str = "tar-";

/// The layer's name and the content's digest.
pub(super) async fn unpacked(store: &Store, helper: &Helper, path: &Path) -> Result<(String, Digest)> {
    let file = path.to_owned();
    let digest = tokio::task::spawn_blocking(move || identity::of_file(&file))
        .await
        .map_err(|error| Error::internal("hash a tarball").because(error))??;
    let layer = format!("{TARBALL_LAYER}{}", digest.as_str().trim_start_matches("sha256:"));
    let place = store.layer(&layer);
    if place.is_dir() {
        return Ok((layer, digest));
    }
    // Beside the layers until it is whole: what a killed process leaves there is trash.
    let partial = store.trash_folder().join(format!("unpack-{}", uuid::Uuid::new_v4().simple()));
    let outcome = unpack_into(helper, path, &partial).await;
    let outcome = match outcome {
        Ok(()) => match std::fs::rename(&partial, &place) {
            // Another process was faster; theirs is the same.
            Err(_) if place.is_dir() => Ok(()),
            other => other.map_err(|error| exists_error("make the layer", &place, error)),
        },
        Err(error) => Err(error),
    };
    if partial.exists() {
        helper.files(&Work::Remove { paths: vec![partial] }).await?;
    }
    outcome.map(|()| (layer, digest))
}

async fn unpack_into(helper: &Helper, tarball: &Path, to: &Path) -> Result<()> {
    let unpacked = helper.files(&Work::Unpack { tarball: tarball.to_owned(), to: to.to_owned() }).await;
    unpacked.map_err(|error| error.into_kind(ErrorKind::Preflight))?;
    if to.join("oci-layout").is_file() || to.join("manifest.json").is_file() {
        return Err(Error::preflight(format!(
            "use {} as a root file system: it is an image archive",
            tarball.display()
        ))
        .help(
            "Make a root file system of it with `docker create IMAGE` and `docker export`, or use --platform docker.",
        ));
    }
    check(to, &tarball.display().to_string())
}
