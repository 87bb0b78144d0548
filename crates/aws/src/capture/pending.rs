//! Snapshots that are to become an image.

use std::collections::BTreeMap;
use std::sync::Arc;

use ami_bake_core::plan::{ImageSettings, MachineSettings};
use ami_bake_core::platform::{Candidate, Capture, PendingImage};
use ami_bake_core::{Error, Result, Run};
use async_trait::async_trait;
use aws_sdk_ec2::types::Image;
use futures::future::try_join_all;

use super::snapshots::complete;
use crate::image::{self, CreateImageError, ImageSpec, Images, MachineVariables, VolumeSnapshot, source_image};
use crate::machine::AwsMachine;

/// Snapshots whose content is fixed, but which are not complete yet.
pub(super) struct PendingSnapshots {
    images: Arc<Images>,
    source: Arc<Image>,
    machine: MachineSettings,
    settings: ImageSettings,
    name: String,
    tags: BTreeMap<String, String>,
    taken: Vec<VolumeSnapshot>,
    /// The machine's UEFI variables, where they are known.
    uefi: Option<MachineVariables>,
}

impl PendingSnapshots {
    /// Snapshots of a machine's volumes, with its UEFI variables where they are known.
    pub(super) fn new(
        machine: &AwsMachine,
        capture: &Capture<'_>,
        taken: Vec<VolumeSnapshot>,
        uefi: Option<MachineVariables>,
    ) -> Self {
        Self {
            images: Arc::clone(&machine.machines.images),
            source: Arc::clone(&machine.source),
            machine: machine.settings.clone(),
            settings: capture.plan.settings.clone(),
            name: capture.name.clone(),
            tags: capture.tags.clone(),
            taken,
            uefi,
        }
    }
}

#[async_trait]
impl PendingImage for PendingSnapshots {
    async fn available(self: Box<Self>, run: &Run) -> Result<Candidate> {
        let devices = image::of_capture(&self.source, &self.machine, &self.taken)?;
        let mut spec = ImageSpec::new(&self.source, self.name, &self.settings, self.tags, devices);
        let account = self.taken.iter().find_map(|part| part.owner.as_deref());
        let fill = async {
            match &self.uefi {
                Some(known) => spec.uefi_data.clone_from(&known.0),
                None => image::fill(&self.images, run, &mut spec, &self.source, account).await,
            }
        };
        let (complete, ()) =
            tokio::join!(try_join_all(self.taken.iter().map(|part| complete(&self.images, run, part))), fill);
        complete?;
        match image::create(&self.images, run, &spec).await {
            Ok(image) => Ok(candidate(&self.images, image)),
            Err(CreateImageError::Failed(error)) => Err(error),
            Err(CreateImageError::NameTaken) => Err(name_taken(&spec.name)),
        }
    }
}

/// The image as a candidate; its description is cached for the launch of the test machine.
pub(super) fn candidate(images: &Images, image: Image) -> Candidate {
    let candidate = Candidate { image: source_image(&image), parts: image::snapshots(&image) };
    images.descriptions.keep(image);
    candidate
}

pub(super) fn name_taken(name: &str) -> Error {
    Error::build(format!("could not register the candidate {name:?}: an image of this name already exists"))
        .help("Another run uses the same ID. Run the bake again.")
}
