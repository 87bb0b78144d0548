//! Finds the source of a manifest.

use std::collections::BTreeMap;
use std::path::Path;

use ami_bake_core::plan::{SourceImage, SourceQuery};
use ami_bake_core::{Error, Result};

use super::root::{HOST, check, system_name};
use super::{identity, tarball};
use crate::images::Images;
use crate::sandbox::Helper;
use crate::store::{Store, architecture, find_image};

/// Finds a source.
///
/// # Errors
/// When the source is missing or not a root file system.
pub(crate) async fn find(images: &Images, helper: &Helper, query: &SourceQuery) -> Result<SourceImage> {
    let store = images.store();
    match query {
        SourceQuery::Reference(text) if text == HOST => host(),
        SourceQuery::Reference(text) => path(store, helper, Path::new(text)).await,
        SourceQuery::Id(text) => Ok(find_image(&store.images()?, text)?.source()),
        SourceQuery::Baked(query) => images.baked(query),
        SourceQuery::Newest { name, .. } => Err(unsupported(&format!("an image named {name}"))),
        SourceQuery::Parameter(name) => Err(unsupported(&format!("the parameter {name}"))),
        SourceQuery::Disk(disk) => Err(unsupported(&format!("the disk image {}", disk.location))),
    }
}

fn unsupported(what: &str) -> Error {
    Error::preflight(format!("could not find {what}: not supported on the local platform")).help(
        "Set a `local` source: `host`, a folder with a root file system, a tarball of one, or an image that was baked \
         here.",
    )
}

fn host() -> Result<SourceImage> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::preflight("`local: host` requires root").help(
            "The files of this system belong to root, and a user namespace can't change them. Run the command with sudo, \
             use a tarball of a root file system as the `local` source, or use --platform docker.",
        ));
    }
    let identity = identity::of(Path::new("/"))?;
    Ok(source(HOST, &system_name(Path::new("/")).unwrap_or_else(|| HOST.to_owned()), identity))
}

fn source(id: &str, name: &str, identity: String) -> SourceImage {
    SourceImage {
        id: id.to_owned(),
        name: name.to_owned(),
        owner: "local".to_owned(),
        created: None,
        tags: BTreeMap::new(),
        architecture: architecture(),
        identity,
        version: None,
    }
}

async fn path(store: &Store, helper: &Helper, path: &Path) -> Result<SourceImage> {
    let real = std::fs::canonicalize(path).map_err(|error| {
        Error::preflight(format!("could not find the root file system {}", path.display()))
            .help("Set `local` to `host`, a folder with a root file system, or a tarball of one.")
            .because(error)
    })?;
    let name = real.display().to_string();
    if real.is_dir() {
        check(&real, &name)?;
        let identity = identity::of_tree(&real)?;
        return Ok(source(&name, &name, identity));
    }
    let (layer, digest) = tarball::unpacked(store, helper, &real).await?;
    Ok(source(&layer, &name, digest.to_string()))
}
