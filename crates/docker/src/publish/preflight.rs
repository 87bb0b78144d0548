//! Checks `publish.docker` before a machine starts.

use ami_bake_core::plan::ImagePlan;
use ami_bake_core::{ErrorKind, Result, Run};

use super::login::login;
use super::references::references;
use crate::engine::Settings;

/// Checks that repository and tags are valid and that the credentials can be read.
///
/// # Errors
/// [`ErrorKind::Preflight`], with what to do.
pub(crate) async fn preflight(settings: &Settings, run: &Run, plan: &ImagePlan) -> Result<()> {
    let Some(publish) = plan.settings.container.as_ref().filter(|publish| publish.published) else { return Ok(()) };
    let checked = match references(publish) {
        Ok(_) if publish.push => login(settings, run, publish).await.map(|_| ()),
        other => other.map(|_| ()),
    };
    checked.map_err(|error| error.into_kind(ErrorKind::Preflight).at(plan.route.key("publish").key("docker")))
}
