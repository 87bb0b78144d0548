//! Captures with CreateImage: EC2 makes the image, because the source's billing code must be carried over.

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::ledger::Closed;
use ami_bake_core::platform::{Candidate, Capture, PendingImage};
use ami_bake_core::{Result, Run, tags};
use async_trait::async_trait;
use aws_sdk_ec2::types::{Image, ImdsSupportValues, ResourceType};

use super::pending::{candidate, name_taken};
use super::quiesce::stop_on_shutdown;
use crate::client::ledger::{IMAGE, MACHINE, PLATFORM};
use crate::client::{create_once, filter, no_retries, tag_filter};
use crate::image::{self, available, of_create_image, specification};
use crate::machine::{AwsMachine, Machines, terminate_id};

/// Time limit for the image: as long as its snapshots may take, see the limit in `snapshots.rs`.
const AVAILABLE: Duration = Duration::from_hours(6);

/// An image that EC2 is creating. Its machine must exist until then: if it is terminated too early, the AMI fails with
/// `Client.InstanceTerminated` (EC2 user guide, image state reason).
pub(super) struct PendingEc2Image {
    machines: Arc<Machines>,
    machine: String,
    image: String,
    imds_v2: bool,
}

/// Requests the image of a quiesced machine.
pub(super) async fn create(machine: &AwsMachine, run: &Run, capture: &Capture<'_>) -> Result<PendingEc2Image> {
    let client = machine.client();
    let name = &capture.name;
    let doing = format!("create the image {name:?} of {}", machine.in_words());
    let changes = of_create_image(&machine.source, &capture.plan.machine);
    let mut tags = capture.tags.clone();
    tags.insert(tags::RUN.to_owned(), run.id().to_owned());
    run.check()?;
    // The machine's own is `terminate`, which the image could carry over to its instances: one that powers itself off would
    // be lost with its disk.
    if let Err(failure) = stop_on_shutdown(machine).await {
        run.warn(
            format!("could not set the shutdown behavior of {} to `stop` ({})", machine.id, failure.code()),
            Some("Set `InstanceInitiatedShutdownBehavior` where you launch the image.".to_owned()),
        );
    }
    let ticket = run.intend(PLATFORM, IMAGE, Some(client.region()), name)?;
    let made = create_once(
        run,
        &doing,
        || async {
            let request = client
                .ec2
                .create_image()
                .instance_id(&machine.id)
                .name(name)
                .set_description(Some(capture.plan.settings.description.clone()).filter(|text| !text.is_empty()))
                // The machine is stopped, or its guest has halted: a reboot would start it again.
                .no_reboot(true)
                .set_block_device_mappings(Some(changes.clone()).filter(|changes| !changes.is_empty()))
                .tag_specifications(specification(ResourceType::Image, &tags))
                .tag_specifications(specification(ResourceType::Snapshot, &tags))
                .customize()
                .config_override(no_retries());
            let answer = client.ask("CreateImage", request.send()).await?;
            Ok(answer.image_id.unwrap_or_default())
        },
        || async {
            let filters = vec![filter("name", name), tag_filter(tags::RUN, run.id())];
            let found = image::describe(client, "self", filters, &doing).await?;
            Ok(found.into_iter().find_map(|image| image.image_id))
        },
    )
    .await;
    let id = match made {
        Ok(id) => id,
        Err(failure) => {
            let duplicate = failure.is(&["InvalidAMIName.Duplicate"]);
            let error = client.not_created(run, ticket, *failure, &doing).await;
            return Err(if duplicate { name_taken(name) } else { error });
        }
    };
    machine.machines.images.recent.created(&id);
    run.ledger().confirm(ticket, &id);
    let imds_v2 = capture.plan.settings.imds_v2.unwrap_or(true);
    Ok(PendingEc2Image { machines: Arc::clone(&machine.machines), machine: machine.id.clone(), image: id, imds_v2 })
}

#[async_trait]
impl PendingImage for PendingEc2Image {
    async fn available(self: Box<Self>, run: &Run) -> Result<Candidate> {
        let (made, _) = available(&self.machines.images, run, &self.image, AVAILABLE, |_| Vec::new()).await?;
        let (ended, asked) = tokio::join!(self.terminate(run), self.require_tokens(&made));
        if let Err(error) = ended {
            run.warn(format!("could not terminate the machine {} yet: {error}", self.machine), None);
        }
        asked?;
        Ok(candidate(&self.machines.images, made))
    }
}

impl PendingEc2Image {
    /// Terminates the machine once its disk has been copied.
    async fn terminate(&self, run: &Run) -> Result<()> {
        if let Err(failure) = terminate_id(&self.machines, run, &self.machine, None).await {
            return Err(self
                .machines
                .client()
                .explain(*failure, &format!("terminate the machine {}", self.machine))
                .await);
        }
        run.ledger().close_id(MACHINE, &self.machine, Closed::Deleted);
        Ok(())
    }

    /// Makes instances of the image require IMDSv2, which CreateImage has no parameter for.
    async fn require_tokens(&self, made: &Image) -> Result<()> {
        if !self.imds_v2 || made.imds_support() == Some(&ImdsSupportValues::V20) {
            return Ok(());
        }
        image::require_tokens(self.machines.client(), &self.image).await
    }
}
