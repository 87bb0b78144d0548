//! The queue of copies into one region: EC2 makes only so many at once, whoever asks.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ami_bake_core::{Result, Run};
use aws_sdk_ec2::types::SnapshotState;

use crate::client::{Client, Failure, one_of};

/// Copies at once into a region (EBS endpoints and quotas, "Concurrent snapshot copies per destination Region"). Each
/// snapshot of a CopyImage counts.
const MOST: usize = 20;
/// EC2's answer where the account's quota is lower, or others copy as well.
const QUOTA: &str = "ResourceLimitExceeded";
/// Pauses between two tries: the first, doubled up to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));
/// Pause between two looks for copies that are complete.
const LOOK: Duration = Duration::from_secs(5);
/// As long as a copy itself may take.
const LIMIT: Duration = Duration::from_hours(6);

/// The copies into one region that this run has under way.
#[derive(Default)]
pub(crate) struct CopySlots {
    state: Mutex<State>,
    /// Who waits for a slot, in order: the first one looks for all.
    queue: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// Snapshots that are being copied.
    copies: BTreeSet<String>,
    /// Slots of calls that are not answered yet, and of images that EC2 copies.
    reserved: usize,
}

/// Slots for one call; free again when it is dropped.
pub(crate) struct CopySlot<'a> {
    slots: &'a CopySlots,
    count: usize,
}

impl CopySlots {
    /// Slots for `count` copies, where so many are free.
    pub(crate) fn free(&self, count: usize) -> Option<CopySlot<'_>> {
        let mut state = self.lock();
        let count = count.clamp(1, MOST);
        if state.copies.len() + state.reserved + count > MOST {
            return None;
        }
        state.reserved += count;
        Some(CopySlot { slots: self, count })
    }

    /// The same, once so many are free.
    ///
    /// # Errors
    /// When EC2 does not say which copies are complete, or the run is cancelled.
    pub(crate) async fn wait(&self, client: &Client, run: &Run, count: usize) -> Result<CopySlot<'_>> {
        let free = async {
            let _first = self.queue.lock().await;
            loop {
                if let Some(slot) = self.free(count) {
                    return Ok(slot);
                }
                self.look(client).await?;
                if let Some(slot) = self.free(count) {
                    return Ok(slot);
                }
                run.sleep(LOOK).await?;
            }
        };
        let what = format!("a free slot in {}: EC2 makes {MOST} copies at once", client.place());
        run.until_cancelled(run.waiting(&what, free)).await?
    }

    /// Notes that a copy is complete, or will never be.
    pub(super) fn ended(&self, id: &str) {
        self.lock().copies.remove(id);
    }

    /// Forgets the copies that are not under way any more, whether anybody waits for them or not.
    async fn look(&self, client: &Client) -> Result<()> {
        let ids: Vec<String> = self.lock().copies.iter().cloned().collect();
        let request = client.ec2.describe_snapshots().owner_ids("self").filters(one_of("snapshot-id", &ids));
        let answer = client.call("DescribeSnapshots", "look for copies that are complete", request.send()).await?;
        let is_pending = |id: &String| {
            let snapshot = answer.snapshots().iter().find(|one| one.snapshot_id() == Some(id));
            snapshot.is_some_and(|one| one.state() == Some(&SnapshotState::Pending))
        };
        self.lock().copies.retain(|id| !ids.contains(id) || is_pending(id));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CopySlot<'_> {
    /// The call made this copy, which keeps the slot until it is complete.
    pub(super) fn begun(self, id: &str) {
        self.slots.lock().copies.insert(id.to_owned());
    }
}

impl Drop for CopySlot<'_> {
    fn drop(&mut self) {
        self.slots.lock().reserved -= self.count;
    }
}

/// True where EC2 makes no further copy now.
pub(crate) fn is_quota(failure: &Failure) -> bool {
    failure.is(&[QUOTA])
}

/// Makes a call that copies, again and again while EC2 answers that the quota is used up.
///
/// # Errors
/// Those of `ask`. The inner failure is EC2's refusal.
pub(super) async fn patiently<T, F>(
    client: &Client,
    run: &Run,
    mut ask: impl FnMut() -> F,
) -> Result<Result<T, Box<Failure>>>
where
    F: Future<Output = Result<Result<T, Box<Failure>>>>,
{
    let (begun, mut pause) = (run.clock().elapsed(), PAUSES.0);
    loop {
        match ask().await? {
            Err(failure) if is_quota(&failure) && run.clock().elapsed().saturating_sub(begun) < LIMIT => {
                if pause == PAUSES.0 {
                    run.progress(format!(
                        "Waiting for other copies to {} to complete: the account's quota of concurrent copies is used up",
                        client.place()
                    ));
                }
                run.sleep(pause).await?;
                pause = (pause * 2).min(PAUSES.1);
            }
            answer => return Ok(answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_held_until_the_copy_ends() {
        let slots = CopySlots::default();
        let held: Vec<CopySlot<'_>> = (0..MOST).map(|_| slots.free(1).unwrap()).collect();
        assert!(slots.free(1).is_none());
        for (number, slot) in held.into_iter().enumerate() {
            // Half of the calls were refused.
            if number % 2 == 0 {
                slot.begun(&format!("snap-{number}"));
            }
        }
        let whole_image = slots.free(MOST / 2).unwrap();
        assert!(slots.free(1).is_none());
        slots.ended("snap-0");
        assert!(slots.free(1).is_some());
        drop(whole_image);
        assert!(slots.free(MOST / 2 + 1).is_some());
    }
}
