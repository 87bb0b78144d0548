//! Snapshots on their way to an image.

use std::collections::BTreeMap;
use std::sync::Arc;

use ami_bake_core::plan::{ImageSettings, MachineSettings};
use ami_bake_core::platform::{Candidate, Capture, PendingImage};
use ami_bake_core::{Error, Result, Run};
use async_trait::async_trait;
use aws_sdk_ec2::types::Image;
use futures::future::try_join_all;

use super::snapshots::complete;
use crate::image::{self, NotMade, Taken, Wanted};
use crate::machine::AwsMachine;
use crate::platform::Inner;
use crate::source;

/// Snapshots whose content is fixed.
pub(super) struct Pending {
    aws: Arc<Inner>,
    source: Arc<Image>,
    machine: MachineSettings,
    settings: ImageSettings,
    name: String,
    tags: BTreeMap<String, String>,
    taken: Vec<Taken>,
}

impl Pending {
    /// Snapshots of a machine's volumes.
    pub(super) fn new(machine: &AwsMachine, capture: &Capture<'_>, taken: Vec<Taken>) -> Self {
        Self {
            aws: Arc::clone(&machine.aws),
            source: Arc::clone(&machine.source),
            machine: machine.settings.clone(),
            settings: capture.plan.settings.clone(),
            name: capture.name.clone(),
            tags: capture.tags.clone(),
            taken,
        }
    }
}

#[async_trait]
impl PendingImage for Pending {
    async fn available(self: Box<Self>, run: &Run) -> Result<Candidate> {
        let devices = image::of_capture(&self.source, &self.machine, &self.taken)?;
        let mut wanted = Wanted::new(&self.source, self.name, &self.settings, self.tags, devices);
        let account = self.taken.iter().find_map(|part| part.owner.as_deref());
        let (complete, ()) = tokio::join!(
            try_join_all(self.taken.iter().map(|part| complete(&self.aws, run, part))),
            image::fill(&self.aws, run, &mut wanted, &self.source, account)
        );
        complete?;
        match image::create(&self.aws, run, &wanted).await {
            Ok(image) => Ok(candidate(&self.aws, image)),
            Err(NotMade::Failed(error)) => Err(error),
            Err(NotMade::Taken) => Err(name_taken(&wanted.name)),
        }
    }
}

/// The image as something to be tested; its description is kept for the test machine's launch.
pub(super) fn candidate(aws: &Inner, image: Image) -> Candidate {
    let candidate = Candidate { image: source::describe(&image), parts: image::snapshots(&image) };
    aws.sources.keep(image);
    candidate
}

pub(super) fn name_taken(name: &str) -> Error {
    Error::build(format!("register the candidate {name:?}: an image of that name is there already"))
        .help("Another run uses the same id. Run the bake again.")
}
