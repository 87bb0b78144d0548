//! What can't be published is said before a machine starts.

use ami_bake_core::plan::ImagePlan;
use ami_bake_core::{ErrorKind, Result, Run};

use super::login::login;
use super::references::references;
use crate::engine::Settings;

/// Refuses a publication that can't come to a good end: names that are none, credentials that can't be read.
///
/// # Errors
/// [`ErrorKind::Preflight`], with what to do.
pub(crate) async fn judge(settings: &Settings, run: &Run, plan: &ImagePlan) -> Result<()> {
    let Some(wanted) = plan.settings.container.as_ref().filter(|wanted| wanted.published) else { return Ok(()) };
    let judged = match references(wanted) {
        Ok(_) if wanted.push => login(settings, run, wanted).await.map(|_| ()),
        other => other.map(|_| ()),
    };
    judged.map_err(|error| error.into_kind(ErrorKind::Preflight).at(plan.route.key("publish").key("docker")))
}
