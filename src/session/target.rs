//! The platform of a command that does not need a manifest, but uses one if it exists.

use std::sync::Arc;

use ami_bake_core::plan::{Deployment, Distribution, Recipe as _};
use ami_bake_core::platform::Platform;
use ami_bake_core::{Error, Result, Run};

use super::load::{Purpose, find, load};
use crate::args::{ManifestArgs, PlatformArgs};
use crate::program::Program;

/// The platform that a command uses.
pub(crate) struct Target {
    /// Namespace of the manifest, if there is one.
    pub(crate) namespace: Option<String>,
    /// Regions and accounts that the manifest publishes to.
    pub(crate) published: Vec<Distribution>,
    /// Launch templates that the manifest deploys to.
    pub(crate) deployed: Vec<Deployment>,
    platform: String,
    args: PlatformArgs,
}

/// Reads the manifest that is named or in its default place. Without one, and when `--platform` is given and the
/// manifest in the default place is not valid, the flags alone decide.
///
/// # Errors
/// When the manifest is invalid, or a named one does not exist.
pub(crate) fn target(program: &Program, manifest: &ManifestArgs, args: PlatformArgs) -> Result<Target> {
    let by_flags = |args: PlatformArgs| {
        let platform = manifest.platform.clone().unwrap_or_else(|| program.platforms.default_name().to_owned());
        Target { namespace: None, published: Vec::new(), deployed: Vec::new(), platform, args: args.resolve(None) }
    };
    if manifest.manifest.is_none() && find(None).is_err() {
        return Ok(by_flags(args));
    }
    let loaded = load(program, manifest, args.region.as_deref(), Purpose::Check)?;
    let Some(found) = loaded.manifest() else {
        if manifest.manifest.is_none() && manifest.platform.is_some() {
            program.host.say(&format!("Ignoring {}: it is invalid (run `ami-bake check`)\n", loaded.name()));
            return Ok(by_flags(args));
        }
        loaded.show(program.host.as_ref());
        return Err(Error::manifest(format!("{} has errors", loaded.name())));
    };
    Ok(Target {
        namespace: Some(found.namespace().to_owned()),
        published: found.distributions(),
        deployed: found.deployments(),
        platform: found.platform().as_str().to_owned(),
        args: args.resolve(Some(found)),
    })
}

impl Target {
    /// Connects to the platform.
    ///
    /// # Errors
    /// As [`Program::connect`].
    pub(crate) async fn connect(&self, program: &Program, run: &Run) -> Result<Arc<dyn Platform>> {
        program.connect(&self.platform, self.args.clone(), run).await
    }
}
