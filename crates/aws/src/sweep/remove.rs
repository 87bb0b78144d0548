//! Deletes orphans.

use ami_bake_core::ledger::Entry;
use ami_bake_core::platform::{Orphan, Undo};
use ami_bake_core::{Error, Result, Run};

use super::list::VOLUME;
use super::orphans::{holders, is_pre_release};
use crate::client::ledger::{IMAGE, PLATFORM, SNAPSHOT};
use crate::client::{Client, filter};
use crate::deploy;
use crate::image::{self, tags_of};
use crate::machine::{self, Machines};

/// Deletes one orphan.
pub(crate) async fn remove(machines: &Machines, run: &Run, orphan: &Orphan) -> Result<Undo> {
    let id = orphan.id.as_str();
    match orphan.kind.as_str() {
        IMAGE => {
            // The image may have passed its tests or been put to use since it was listed.
            let doing = format!("look up the image {id}");
            let found = image::describe(machines.client(), "self", vec![filter("image-id", id)], &doing).await?;
            if found.iter().any(|image| image::is_tested(image) && !is_pre_release(&tags_of(image))) {
                return Err(Error::preflight(format!("could not delete the image {id}: it is tagged as tested")).help(
                    "Sweep only deletes untested images and pre-releases. Deregister the image by hand if nobody needs it.",
                ));
            }
            if let Some(why) = holders(machines.client(), run, std::slice::from_ref(&orphan.id)).await?.remove(id) {
                return Ok(Undo::Later(why));
            }
            image::delete(&machines.images, run, id).await.map(|()| Undo::Done)
        }
        SNAPSHOT => image::sweep_snapshot(&machines.images, id).await,
        VOLUME => delete_volume(machines.client(), id).await,
        kind => {
            let entry = Entry {
                number: 0,
                run: orphan.run.clone().unwrap_or_default(),
                image: None,
                platform: PLATFORM.to_owned(),
                kind: kind.to_owned(),
                region: orphan.region.clone(),
                role: orphan.role.clone(),
                find_by: id.to_owned(),
                id: Some(id.to_owned()),
            };
            match kind {
                deploy::VERSION => deploy::remove_version(machines.client(), id).await,
                deploy::GROUP => deploy::undo(machines.client(), run, &entry).await,
                _ => machine::undo(machines, run, &entry).await,
            }
        }
    }
}

async fn delete_volume(client: &Client, id: &str) -> Result<Undo> {
    let request = client.ec2.delete_volume().volume_id(id);
    match client.ask("DeleteVolume", request.send()).await {
        Ok(_) => Ok(Undo::Done),
        Err(failure) if failure.not_found() => Ok(Undo::Done),
        Err(failure) if failure.is(&["VolumeInUse"]) => Ok(Undo::Later("it is still attached to a machine".to_owned())),
        Err(failure) => Err(client.explain(*failure, &format!("delete the volume {id}")).await),
    }
}
