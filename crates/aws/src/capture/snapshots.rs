//! CreateSnapshots: takes snapshots of all volumes of a machine at one point in time.

use std::collections::BTreeMap;
use std::time::Duration;

use ami_bake_core::ledger::Closed;
use ami_bake_core::platform::Capture;
use ami_bake_core::{Error, Result, Run, tags};
use aws_sdk_ec2::types::{InstanceSpecification, ResourceType, Snapshot, SnapshotInfo, SnapshotState};

use crate::client::ledger::{PLATFORM, SNAPSHOT};
use crate::client::{Client, MissingTimer, create_once, no_retries, one_of, tag_filter};
use crate::image::{Images, VolumeSnapshot, specification};
use crate::machine::AwsMachine;

/// Time limit for an answer to include a volume that was just attached.
const VOLUMES: Duration = Duration::from_secs(30);
/// Time limit for a snapshot: a terabyte takes half an hour and more (docs/dev/aws.md, "Timings").
const COMPLETE: Duration = Duration::from_hours(6);
/// Minimum time between two progress reports.
const REPORT: Duration = Duration::from_secs(5);

/// Takes snapshots of the machine's volumes, except those that are not part of the image. Their content is fixed when
/// this returns (EC2 API, CreateSnapshots).
pub(super) async fn create(machine: &AwsMachine, run: &Run, capture: &Capture<'_>) -> Result<Vec<VolumeSnapshot>> {
    let client = machine.client();
    let doing = format!("create snapshots of {}", machine.in_words());
    let mut volumes = volumes(machine, run).await?;
    let is_scratch =
        |device: &str| capture.plan.machine.volumes.iter().any(|volume| volume.scratch && volume.device == device);
    let scratch: Vec<String> =
        volumes.iter().filter(|(_, device)| is_scratch(device)).map(|(volume, _)| volume.clone()).collect();
    volumes.retain(|volume, _| !scratch.contains(volume));
    let mut tags = capture.tags.clone();
    tags.insert(tags::RUN.to_owned(), run.id().to_owned());
    run.check()?;
    let specified = InstanceSpecification::builder()
        .instance_id(&machine.id)
        .set_exclude_data_volume_ids(Some(scratch).filter(|scratch| !scratch.is_empty()))
        .build();
    let mut tickets = BTreeMap::new();
    for volume in volumes.keys() {
        tickets.insert(volume.clone(), run.intend(PLATFORM, SNAPSHOT, Some(client.region()), volume)?);
    }
    let made = create_once(
        run,
        &doing,
        || async {
            let request = client
                .ec2
                .create_snapshots()
                .instance_specification(specified.clone())
                .description(description(capture, machine))
                .tag_specifications(specification(ResourceType::Snapshot, &tags))
                .customize()
                .config_override(no_retries());
            let answer = client.ask("CreateSnapshots", request.send()).await?;
            Ok(answer.snapshots.unwrap_or_default().iter().filter_map(CreatedSnapshot::from_info).collect::<Vec<_>>())
        },
        || found(client, run, volumes.keys().cloned().collect(), &doing),
    )
    .await;
    let made = match made {
        Ok(made) => made,
        Err(failure) => {
            if !failure.unknown() {
                for ticket in tickets.into_values() {
                    run.ledger().close(ticket, Closed::Refused);
                }
            }
            return Err(client.explain(*failure, &doing).await);
        }
    };
    for snapshot in &made {
        let ticket = match tickets.remove(&snapshot.volume) {
            Some(ticket) => ticket,
            // A volume that a step attached after the machine was described.
            None => run.intend(PLATFORM, SNAPSHOT, Some(client.region()), &snapshot.volume)?,
        };
        machine.machines.images.recent.created(&snapshot.id);
        run.ledger().confirm(ticket, &snapshot.id);
    }
    // A volume that a step has detached since has no snapshot.
    for ticket in tickets.into_values() {
        run.ledger().close(ticket, Closed::Refused);
    }
    taken(machine, run, &volumes, made).await
}

/// Volume IDs with their devices, once EC2 shows all of them.
async fn volumes(machine: &AwsMachine, run: &Run) -> Result<BTreeMap<String, String>> {
    let known = machine.instance().volumes;
    let known = if known.is_empty() { described(machine, run).await? } else { known };
    Ok(known.into_iter().map(|(device, volume)| (volume, device)).collect())
}

async fn described(machine: &AwsMachine, run: &Run) -> Result<Vec<(String, String)>> {
    machine
        .machines
        .instances
        .wait(run, &machine.id, &format!("EC2 to list the volumes of {}", machine.id), VOLUMES, |state| {
            state.filter(|instance| !instance.volumes.is_empty()).map(|instance| Ok(instance.volumes))
        })
        .await
}

async fn taken(
    machine: &AwsMachine,
    run: &Run,
    volumes: &BTreeMap<String, String>,
    made: Vec<CreatedSnapshot>,
) -> Result<Vec<VolumeSnapshot>> {
    let mut devices = volumes.clone();
    if made.iter().any(|snapshot| !devices.contains_key(&snapshot.volume)) {
        devices.extend(described(machine, run).await?.into_iter().map(|(device, volume)| (volume, device)));
    }
    made.into_iter()
        .map(|snapshot| match devices.get(&snapshot.volume) {
            Some(device) => Ok(VolumeSnapshot {
                device: device.clone(),
                snapshot: snapshot.id,
                size: snapshot.size,
                owner: snapshot.owner,
            }),
            None => Err(Error::build(format!(
                "could not create an image: EC2 created the snapshot {} of the volume {}, which is not a device of {}",
                snapshot.id,
                snapshot.volume,
                machine.in_words()
            ))),
        })
        .collect()
}

fn description(capture: &Capture<'_>, machine: &AwsMachine) -> String {
    format!("{} {} baked by ami-bake on {}", capture.plan.key, capture.plan.version, machine.id)
}

/// Finds the snapshots that a call with a lost answer made. Either all of these volumes have a snapshot of this run, or
/// the call had no effect (it makes all or none).
async fn found(client: &Client, run: &Run, volumes: Vec<String>, doing: &str) -> Result<Option<Vec<CreatedSnapshot>>> {
    let request = client
        .ec2
        .describe_snapshots()
        .owner_ids("self")
        .filters(one_of("volume-id", &volumes))
        .filters(tag_filter(tags::RUN, run.id()));
    let answer = client.call("DescribeSnapshots", doing, request.send()).await?;
    let mut newest: BTreeMap<String, (i64, CreatedSnapshot)> = BTreeMap::new();
    for snapshot in answer.snapshots() {
        let Some(made) = CreatedSnapshot::from_snapshot(snapshot) else { continue };
        let at = snapshot.start_time().map_or(0, aws_smithy_types::DateTime::secs);
        let old = newest.get(&made.volume).is_some_and(|(seen, _)| *seen >= at);
        if !old {
            newest.insert(made.volume.clone(), (at, made));
        }
    }
    let all = volumes.iter().all(|volume| newest.contains_key(volume));
    Ok(all.then(|| newest.into_values().map(|(_, made)| made).collect()))
}

/// A snapshot, from the answer of either CreateSnapshots or DescribeSnapshots.
struct CreatedSnapshot {
    id: String,
    volume: String,
    size: Option<i32>,
    owner: Option<String>,
}

impl CreatedSnapshot {
    fn from_info(info: &SnapshotInfo) -> Option<Self> {
        Some(Self {
            id: info.snapshot_id()?.to_owned(),
            volume: info.volume_id()?.to_owned(),
            size: info.volume_size(),
            owner: info.owner_id().map(str::to_owned),
        })
    }

    fn from_snapshot(snapshot: &Snapshot) -> Option<Self> {
        Some(Self {
            id: snapshot.snapshot_id()?.to_owned(),
            volume: snapshot.volume_id()?.to_owned(),
            size: snapshot.volume_size(),
            owner: snapshot.owner_id().map(str::to_owned),
        })
    }
}

/// Waits until a snapshot is complete, and emits its progress.
pub(super) async fn complete(images: &Images, run: &Run, part: &VolumeSnapshot) -> Result<()> {
    let clock = images.client.clock();
    let mut missing = MissingTimer::new(clock, format!("the snapshot {} of {}", part.snapshot, part.device));
    let (mut reported, mut last) = (clock.elapsed(), String::new());
    images
        .snapshots
        .wait(
            run,
            &part.snapshot,
            &format!("the snapshot {} of {} to be complete", part.snapshot, part.device),
            COMPLETE,
            |state| {
                let Some(snapshot) = state else { return missing.missing() };
                missing.seen();
                images.recent.seen(&part.snapshot);
                let progress = snapshot.progress().unwrap_or_default();
                if progress != last && clock.elapsed().saturating_sub(reported) >= REPORT {
                    reported = clock.elapsed();
                    progress.clone_into(&mut last);
                    run.progress(format!("Snapshot of {}: {progress}", part.device));
                }
                match snapshot.state() {
                    Some(SnapshotState::Completed) => Some(Ok(())),
                    Some(SnapshotState::Error) => Some(Err(failed(&snapshot, part))),
                    _ => None,
                }
            },
        )
        .await
}

fn failed(snapshot: &Snapshot, part: &VolumeSnapshot) -> Error {
    let why = snapshot.state_message().filter(|why| !why.is_empty()).unwrap_or("EC2 gave no reason");
    let error = Error::build(format!("could not create the snapshot {} of {}: {why}", part.snapshot, part.device));
    if why.to_ascii_lowercase().contains("kms") {
        return error.help("The role must be allowed to use the volume's KMS key: kms:CreateGrant, kms:Decrypt, kms:DescribeKey, kms:GenerateDataKeyWithoutPlaintext and kms:ReEncrypt*.");
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_snapshot_says_why() {
        let part =
            VolumeSnapshot { device: "/dev/xvda".to_owned(), snapshot: "snap-1".to_owned(), size: None, owner: None };
        let error = failed(&Snapshot::builder().state_message("Given KMS key ID is not accessible").build(), &part);
        assert!(error.to_string().contains("/dev/xvda: Given KMS key"), "{error}");
        assert!(error.help_text().unwrap().contains("kms:CreateGrant"));
        assert!(failed(&Snapshot::builder().build(), &part).to_string().contains("no reason"));
    }
}
