//! Everything that ami-bake made where `ami-bake images show` and `rm` look.

use std::sync::Arc;

use ami_bake_core::image_name::ImageName;
use ami_bake_core::platform::{ImageQuery, Listed, Platform};
use ami_bake_core::{Result, Run};

use crate::args::TargetArgs;
use crate::program::Program;
use crate::session::{Target, target};

/// All images by ami-bake in the regions and accounts of the manifest or the flags.
pub(super) struct Inventory {
    pub(super) platform: Arc<dyn Platform>,
    pub(super) target: Target,
    /// Images of every name, since images of other names may be built on a deleted one.
    pub(super) all: Vec<Listed>,
}

impl Inventory {
    /// Lists the images.
    ///
    /// # Errors
    /// When the manifest is invalid, or the home region can't be searched.
    pub(super) async fn look_up(program: &Program, run: &Run, args: TargetArgs) -> Result<Self> {
        let target = target(program, &args.manifest, args.platform)?;
        let platform = target.connect(program, run).await?;
        let query = ImageQuery::default();
        let all = run.until_cancelled(platform.inventory(run, &query, &target.published)).await??;
        Ok(Self { platform, target, all })
    }

    /// The images of the manifest's namespace that a name selects.
    ///
    /// # Errors
    /// When there are none, or when the name is ambiguous.
    pub(super) fn named(&self, name: &ImageName) -> Result<Vec<Listed>> {
        let namespace = self.target.namespace.as_deref();
        let own = self.all.iter().map(|listed| &listed.image);
        let own = own.filter(|image| namespace.is_none_or(|name| image.namespace == name));
        let chosen = name.select(own)?;
        if chosen.is_empty() {
            return Err(name.not_found(namespace));
        }
        Ok(self.all.iter().filter(|listed| chosen.contains(&&listed.image)).cloned().collect())
    }
}
