//! Finds what the manifest asks for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ami_bake_core::plan::{BakedQuery, SourceImage, SourceQuery};
use ami_bake_core::{Error, Result, Run};

use super::{architecture, identity, tarball};
use crate::export::find_image;
use crate::machine::Helper;
use crate::store::{Base, Image, Store};

/// The name of this system as a source.
const HOST: &str = "host";

/// The folders that a machine stands on.
#[derive(Debug)]
pub(crate) struct Stack {
    /// What lies below all layers.
    pub(crate) base: Base,
    /// Layers in the store, top first.
    pub(crate) layers: Vec<String>,
    /// All folders, top first.
    pub(crate) lower: Vec<PathBuf>,
}

/// Finds a source.
///
/// # Errors
/// When there is none, or it is no root file system.
pub(crate) async fn find(store: &Store, helper: &Helper, query: &SourceQuery) -> Result<SourceImage> {
    match query {
        SourceQuery::Reference(text) if text == HOST => host(),
        SourceQuery::Reference(text) => path(store, helper, Path::new(text)).await,
        SourceQuery::Id(text) => Ok(find_image(&store.images()?, text)?.source()),
        SourceQuery::Baked(query) => baked(store, query),
        SourceQuery::Newest { name, .. } => Err(not_here(&format!("an image named {name}"))),
        SourceQuery::Parameter(name) => Err(not_here(&format!("the parameter {name}"))),
    }
}

fn not_here(what: &str) -> Error {
    Error::preflight(format!("find {what} on the local platform")).help(
        "Give the image a `local` source: `host`, a folder with a root file system, a tarball of one, or an image \
         that was baked here.",
    )
}

fn host() -> Result<SourceImage> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::preflight("use this system's root as a source without being root").help(
            "Its files belong to root, and a user namespace can't change them. Run with sudo, name a tarball of a \
                   root file system as `local` source, or use --platform docker.",
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

/// The system's name as its os-release gives it (os-release(5)).
fn system_name(root: &Path) -> Option<String> {
    let text = std::fs::read_to_string(root.join("etc/os-release")).ok()?;
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches('"').to_owned())
}

async fn path(store: &Store, helper: &Helper, path: &Path) -> Result<SourceImage> {
    let real = std::fs::canonicalize(path).map_err(|error| {
        Error::preflight(format!("find the root file system {}", path.display()))
            .help("A `local` source is `host`, a folder with a root file system, or a tarball of one.")
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

/// Refuses what is no root file system.
pub(crate) fn check(root: &Path, name: &str) -> Result<()> {
    let has = |path: &str| std::fs::symlink_metadata(root.join(path)).is_ok();
    let missing = match (has("etc"), has("bin/sh") || has("usr/bin/sh")) {
        (true, true) => return Ok(()),
        (false, _) => "/etc",
        (true, false) => "/bin/sh",
    };
    Err(Error::preflight(format!("use {name} as a root file system: it has no {missing}"))
        .help("Name a folder or tarball that holds a whole system, such as debootstrap or `docker export` makes."))
}

/// The highest version that fits. A candidate or an image whose tests did not pass is none.
fn baked(store: &Store, query: &BakedQuery) -> Result<SourceImage> {
    let images = store.images()?;
    let fits = |image: &&Image| {
        let Some(record) = image.record() else { return false };
        let in_range = match &query.version {
            Some(range) => range.matches(&record.version),
            None => record.version.pre.is_empty(),
        };
        record.tested.is_some() && record.namespace == query.namespace && record.key == query.key && in_range
    };
    let highest = images.iter().filter(fits).max_by_key(|image| image.version());
    highest.map(Image::source).ok_or_else(|| {
        let range = query.version.as_ref().map(|range| format!(" {range}")).unwrap_or_default();
        Error::preflight(format!("find a tested image {}/{}{range} in the local store", query.namespace, query.key))
            .help("`ami-bake images` lists what is there. Bake that image first, or widen the version range.")
    })
}

/// What a machine that starts from `source` stands on.
///
/// # Errors
/// When a part of it is gone.
pub(crate) fn stack(run: &Run, store: &Store, source: &SourceImage) -> Result<Stack> {
    let identity = || source.identity.clone();
    // A source that was just found and a candidate that was just captured are what they are; an image may be older than
    // what is below it now.
    let (base, layers, is_new) = match source.id.as_str() {
        HOST => (Base::Host { identity: identity() }, Vec::new(), true),
        id if id.starts_with('/') => (Base::Folder { path: id.into(), identity: identity() }, Vec::new(), true),
        id if id.starts_with(tarball::TARBALL_LAYER) => (Base::Layers, vec![id.to_owned()], true),
        id => {
            let image = store.image(id)?;
            (image.base, image.layers, image.candidate)
        }
    };
    let mut lower: Vec<PathBuf> = layers.iter().map(|layer| store.layer(layer)).collect();
    let below = match &base {
        Base::Layers => None,
        Base::Host { identity } => Some((Path::new("/"), identity)),
        Base::Folder { path, identity } => Some((path.as_path(), identity)),
    };
    if let Some((path, then)) = below {
        check(path, &path.display().to_string())?;
        lower.push(path.to_owned());
        let now = |path: &Path| if path == Path::new("/") { identity::of(path) } else { identity::of_tree(path) };
        if !is_new && now(path)? != *then {
            run.warn(
                format!("{} has changed since {} was baked on it", path.display(), source.name),
                Some("The image is its changes over that system. Bake it again to build on what is there now.".into()),
            );
        }
    }
    if let Some(gone) = lower.iter().find(|path| !path.is_dir()) {
        return Err(Error::preflight(format!("start from {}: its layer {} is gone", source.name, gone.display()))
            .help("Bake the image again with --force."));
    }
    Ok(Stack { base, layers, lower })
}
