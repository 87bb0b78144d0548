//! The order of the steps of a capture.

use ami_bake_core::platform::{Capture, PendingImage};
use ami_bake_core::{Result, Run};

use super::method::{MachineFacts, Quiesce, at_rest, decide};
use super::pending::PendingSnapshots;
use super::{ec2_image, freeze, quiesce, snapshots};
use crate::image::{self, CaptureMethod, capture_method};
use crate::machine::{AwsMachine, terminate_captured};

/// Quiesces a machine's disk and takes its snapshots. If ami-bake registers the image itself, the machine is terminated
/// at once.
pub(super) async fn capture(machine: &AwsMachine, run: &Run, capture: &Capture<'_>) -> Result<Box<dyn PendingImage>> {
    // A name that EC2 would refuse fails here, not after the snapshots.
    image::validate_name(&capture.name)?;
    image::of_plan(capture.plan)?;
    let instance = machine.instance();
    let facts = MachineFacts { spot: instance.spot, nitro: instance.nitro, method: capture_method(&machine.source) };
    let plan = decide(capture.plan.settings.capture, facts)?;
    if let Some(note) = plan.note {
        run.warn(note, None);
    }
    if plan.method == CaptureMethod::CreateImage {
        quiesce::quiesce(machine, run, plan.quiesce).await?;
        return Ok(Box::new(ec2_image::create(machine, run, capture).await?));
    }
    let mut how = plan.quiesce;
    if how == Quiesce::Freeze && machine.last_connection().await.is_none() {
        run.warn(format!("the connection to {} was lost: it is captured at rest, not live", machine.id), None);
        how = at_rest(facts);
    }
    let take = async {
        if how == Quiesce::Freeze {
            return freeze::around(machine, run, || snapshots::create(machine, run, capture)).await;
        }
        quiesce::quiesce(machine, run, how).await?;
        snapshots::create(machine, run, capture).await
    };
    // Nothing waits for it: stopping takes longer.
    let (taken, uefi) = tokio::join!(take, image::uefi_of_machine(machine.client(), run, &machine.source, &machine.id));
    let taken = taken?;
    // The content is fixed, so the machine is no longer needed. If this fails, it is still in the ledger.
    if let Err(error) = terminate_captured(machine, run).await {
        run.warn(format!("could not terminate {} yet: {error}", machine.in_words()), None);
    }
    Ok(Box::new(PendingSnapshots::new(machine, capture, taken, uefi)))
}
