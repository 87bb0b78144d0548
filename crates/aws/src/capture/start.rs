//! The order of a capture.

use ami_bake_core::platform::{Capture, PendingImage};
use ami_bake_core::{Result, Run};

use super::mode::{Facts, Rest, Take, decide, take};
use super::pending::Pending;
use super::{ec2_image, freeze, rest, snapshots};
use crate::image;
use crate::machine::AwsMachine;

/// Brings a machine's disk to rest and fixes its content. Where we make the image the machine is given back at once.
pub(crate) async fn capture(machine: &AwsMachine, run: &Run, capture: &Capture<'_>) -> Result<Box<dyn PendingImage>> {
    // A name that EC2 refuses shows here, not after the snapshots.
    image::judge(&capture.name)?;
    image::of_plan(capture.plan)?;
    let instance = machine.instance();
    let facts = Facts { spot: instance.spot, nitro: instance.nitro, take: take(&machine.source) };
    let plan = decide(capture.plan.settings.capture, facts)?;
    if let Some(note) = plan.note {
        run.warn(note, None);
    }
    if plan.take == Take::CreateImage {
        rest::bring(machine, run, plan.rest).await?;
        return Ok(Box::new(ec2_image::create(machine, run, capture).await?));
    }
    let taken = if plan.rest == Rest::Freeze {
        freeze::around(machine, run, || snapshots::create(machine, run, capture)).await?
    } else {
        rest::bring(machine, run, plan.rest).await?;
        snapshots::create(machine, run, capture).await?
    };
    // The content is fixed: nobody needs the machine any more. It is in the ledger should this not work.
    if let Err(error) = machine.end_captured(run).await {
        run.warn(format!("could not end {} yet: {error}", machine.in_words()), None);
    }
    Ok(Box::new(Pending::new(machine, capture, taken)))
}
