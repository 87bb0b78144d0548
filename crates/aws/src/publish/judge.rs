//! What the account does not allow, said before a machine starts.

use std::sync::Arc;

use ami_bake_core::plan::ImagePlan;
use ami_bake_core::{Error, Result, Run};

use crate::platform::Inner;

/// Refuses a publication that can't come to a good end.
///
/// # Errors
/// [`ami_bake_core::Kind::Preflight`], with what to do.
pub(crate) async fn judge(home: &Arc<Inner>, _run: &Run, plan: &ImagePlan) -> Result<()> {
    let region = home.client.region();
    let asked = plan.settings.distribution.regions.iter().find(|asked| asked.region == region);
    if let Some(key) = asked.and_then(|asked| asked.kms_key.as_deref())
        && plan.machine.disk.kms_key.as_deref() != Some(key)
    {
        return Err(Error::preflight(format!("publish {} in {region} under the key {key}", plan.key))
            .help(format!(
                "{region} is the home region: there the image has the key of the disk that it is baked on. Write `machine: \
                 {{disk: {{encrypted: true, kms-key: {key}}}}}`, and leave `kms-key` out here."
            ))
            .at(plan.route.key("publish").key("regions")));
    }
    Ok(())
}
