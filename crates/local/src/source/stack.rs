//! The stack of folders that a machine boots from.

use std::path::{Path, PathBuf};

use ami_bake_core::plan::SourceImage;
use ami_bake_core::{Error, Result, Run};

use super::identity;
use super::root::{HOST, check};
use crate::store::{Base, Store, TARBALL_LAYER};

/// The folders that a machine boots from.
#[derive(Debug)]
pub(crate) struct Stack {
    /// The base below all layers.
    pub(crate) base: Base,
    /// IDs of layers in the store, top first.
    pub(crate) layers: Vec<String>,
    /// Paths of all folders, top first.
    pub(crate) lower: Vec<PathBuf>,
}

/// The folders for a machine that starts from `source`.
///
/// # Errors
/// When a folder is missing.
pub(crate) fn stack(run: &Run, store: &Store, source: &SourceImage) -> Result<Stack> {
    let identity = || source.identity.clone();
    // A source that was just found and a candidate that was just captured are current. For an older image, its base may
    // have changed since.
    let (base, layers, is_new) = match source.id.as_str() {
        HOST => (Base::Host { identity: identity() }, Vec::new(), true),
        id if id.starts_with('/') => (Base::Folder { path: id.into(), identity: identity() }, Vec::new(), true),
        id if id.starts_with(TARBALL_LAYER) => (Base::Layers, vec![id.to_owned()], true),
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
    if let Some((path, baked_on)) = below {
        check(path, &path.display().to_string())?;
        lower.push(path.to_owned());
        let current = |path: &Path| if path == Path::new("/") { identity::of(path) } else { identity::of_tree(path) };
        if !is_new && current(path)? != *baked_on {
            run.warn(
                format!("{} has changed since {} was baked on it", path.display(), source.name),
                Some("The image contains only its changes to that system. Bake it again to use the new state.".into()),
            );
        }
    }
    if let Some(missing) = lower.iter().find(|path| !path.is_dir()) {
        return Err(Error::preflight(format!(
            "could not start from {}: its layer {} is missing",
            source.name,
            missing.display()
        ))
        .help("Bake the image again with --force."));
    }
    Ok(Stack { base, layers, lower })
}
