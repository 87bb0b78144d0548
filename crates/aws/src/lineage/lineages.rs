//! The copies of a run: one look-up per source, and the tasks that create missing copies beside the bakes.

use std::sync::{Arc, Mutex, PoisonError};

use ami_bake_core::ledger::Closed;
use ami_bake_core::{ErrorKind, Run};
use aws_sdk_ec2::types::Image;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::copy::make;
use super::key::{LineageKey, NAME};
use crate::client::KeyedOnceCell;
use crate::client::ledger::{IMAGE, SNAPSHOT_COPY};
use crate::image::Images;

/// The account's own copies of sources.
pub(crate) struct Lineages {
    pub(super) images: Arc<Images>,
    /// IDs of the private images by run and key; `None` if there is none yet.
    pub(super) found: KeyedOnceCell<(String, LineageKey), Option<String>>,
    tasks: Mutex<Vec<Task>>,
}

/// A copy that is being created.
struct Task {
    run: String,
    stop: CancellationToken,
    handle: JoinHandle<()>,
}

impl Lineages {
    /// A value without look-ups or tasks.
    pub(crate) fn new(images: Arc<Images>) -> Self {
        Self { images, found: KeyedOnceCell::default(), tasks: Mutex::default() }
    }

    /// Starts the copy, which continues whatever happens to the image that needed it. `broken` are existing copies that
    /// can't be used.
    pub(super) fn start(&self, run: &Run, source: &Arc<Image>, key: &LineageKey, broken: Vec<String>) {
        let stop = run.cancel.child_token();
        let (images, source, key) = (Arc::clone(&self.images), Arc::clone(source), key.clone());
        let own = run.for_all().with_cancel(stop.clone());
        let handle = tokio::spawn(async move {
            match make(&images, &own, &source, &key, broken).await {
                Err(error) if error.kind() != ErrorKind::Cancelled => own.warn(
                    format!("could not copy {} into this account: {error}", key.source),
                    error.help_text().map(str::to_owned).or_else(|| {
                        Some(
                            "The bake continues without a copy. `lineage` requires a source whose snapshots can be copied."
                                .to_owned(),
                        )
                    }),
                ),
                _ => {}
            }
        });
        let task = Task { run: run.id().to_owned(), stop, handle };
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    /// Ends the tasks at the end of a run: nothing waits for unfinished copies. They stay, tagged with their expiry,
    /// for the next run.
    pub(crate) async fn close(&self, run: &Run) {
        let tasks: Vec<Task> = {
            let mut all = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            all.extract_if(.., |task| task.run == run.id()).collect()
        };
        for task in tasks {
            task.stop.cancel();
            // Whether it panicked or ended: its resources are in the ledger.
            let _ = task.handle.await;
        }
        for entry in run.ledger().open_entries() {
            if entry.kind == SNAPSHOT_COPY || (entry.kind == IMAGE && entry.find_by.starts_with(NAME)) {
                run.ledger().close_entry(&entry, Closed::Kept);
            }
        }
    }
}
