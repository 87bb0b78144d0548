//! Where a command looks that needs no manifest, but takes platform, region and role from one where there is one.

use std::sync::Arc;

use ami_bake_core::plan::{Distribution, Recipe as _};
use ami_bake_core::platform::Platform;
use ami_bake_core::{Error, Result, Run};

use super::loaded::{find, load};
use crate::cli::{ManifestArgs, PlaceArgs};
use crate::ui::Ui;
use crate::wire;

/// A platform and its place.
pub(crate) struct Target {
    /// The namespace of the manifest, where there is one.
    pub(crate) namespace: Option<String>,
    /// Where the manifest publishes its images.
    pub(crate) published: Vec<Distribution>,
    platform: String,
    place: wire::Place,
}

/// Reads the manifest, where one is named or in its default place; else the flags alone say where. They do too where
/// `--platform` is given and the manifest that happens to be here is no help: what is there is there all the same.
///
/// # Errors
/// When the manifest is invalid, or a named one is missing.
pub(crate) fn target(args: &ManifestArgs, place: PlaceArgs, ui: Ui) -> Result<Target> {
    let by_flags = |place: PlaceArgs| {
        let platform = args.platform.clone().unwrap_or_else(|| wire::PLATFORMS[0].to_owned());
        let place = wire::Place::of(place, None);
        Target { namespace: None, published: Vec::new(), platform, place }
    };
    if args.manifest.is_none() && find(None).is_err() {
        return Ok(by_flags(place));
    }
    let loaded = load(args, place.region.as_deref(), true)?;
    let Some(manifest) = loaded.manifest() else {
        if args.manifest.is_none() && args.platform.is_some() {
            ui.say(&format!("{} is left aside: it can't be used here (`ami-bake check` says why).\n", loaded.name()));
            return Ok(by_flags(place));
        }
        loaded.show(ui);
        return Err(Error::manifest(format!("{} has errors", loaded.name())));
    };
    Ok(Target {
        namespace: Some(manifest.namespace().to_owned()),
        published: manifest.distributions(),
        platform: manifest.platform().as_str().to_owned(),
        place: wire::Place::of(place, Some(manifest)),
    })
}

impl Target {
    /// The platform, ready for work.
    ///
    /// # Errors
    /// As [`wire::platform`].
    pub(crate) async fn platform(&self, run: &Run) -> Result<Arc<dyn Platform>> {
        wire::platform(&self.platform, self.place.clone(), run).await
    }
}
