//! Shared by `plan` and `matrix`: plans every selected image.

use std::ops::ControlFlow;

use ami_bake_core::engine::{self, BakeContext, PlannedImage};
use ami_bake_core::{Error, Result};

use crate::args::{TargetArgs, VersionArgs};
use crate::program::Program;
use crate::session::{Loaded, Session, ToBake, load_to_bake};

/// The images of a manifest, planned.
pub(super) struct Planned {
    /// The manifest.
    pub(super) loaded: Loaded,
    /// The run that planned them.
    pub(super) session: Session,
    /// Manifest, platform and provisioner.
    pub(super) context: BakeContext,
    /// The images, each after its base.
    pub(super) images: Vec<PlannedImage>,
}

/// The plan of a bake.
pub(super) enum PlannedImages {
    /// The planned images.
    Planned(Box<Planned>),
    /// The event concerns nothing in the manifest, which has been shown.
    Nothing,
}

impl Planned {
    /// Shows an error with its line in the manifest, ends the run, and returns the exit code.
    pub(super) async fn fail(program: &Program, loaded: &Loaded, session: Session, error: &Error) -> u8 {
        let host = program.host.as_ref();
        host.say(&loaded.explain(host)(&error.into()));
        session.end(error.kind().exit_code()).await
    }
}

/// Plans the images. Breaks with an exit code when the manifest is invalid or an image can't be planned; the reason has
/// been shown then.
///
/// # Errors
/// When the manifest can't be read or the platform can't be connected to.
pub(super) async fn plan_images(
    program: &Program,
    target: TargetArgs,
    version: &VersionArgs,
) -> Result<ControlFlow<u8, PlannedImages>> {
    let Some(ToBake { loaded, context: origin }) = load_to_bake(program, &target, version)? else {
        return Ok(ControlFlow::Continue(PlannedImages::Nothing));
    };
    loaded.show(program.host.as_ref());
    let Some(manifest) = loaded.manifest() else { return Ok(ControlFlow::Break(loaded.exit_code())) };
    let session = Session::begin(loaded.reading(), &program.host)?;
    let context = match loaded.context(program, manifest, target.platform, &session.run).await {
        Ok(context) => context,
        Err(error) => return session.fail(error).await.map(ControlFlow::Break),
    };
    match engine::plan(&session.run, &context, &version.options(loaded.facts(), origin)).await {
        Ok(images) => {
            Ok(ControlFlow::Continue(PlannedImages::Planned(Box::new(Planned { loaded, session, context, images }))))
        }
        Err(error) => Ok(ControlFlow::Break(Planned::fail(program, &loaded, session, &error).await)),
    }
}
