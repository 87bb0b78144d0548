//! Deletes what a run created: derived from the ledger, never from variables.

use std::time::Duration;

use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::event::Event;
use crate::ledger::{Closed, Entry};
use crate::plan::ImageKey;
use crate::platform::{Platform, Undo};
use crate::run::Run;

/// The limit of a cancelled run's burst: GitHub sends SIGTERM 7.5 s after SIGINT and kills 2.5 s later.
const BURST: Duration = Duration::from_secs(5);
/// How long the end of a run waits for resources that cannot be deleted yet (docs/dev/lifecycle.md, "Ledger and clean-up").
const PATIENCE: Duration = Duration::from_secs(90);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_secs(2);

/// Requests the deletion of everything open, all at once, and waits for nothing. Reports what stays.
pub async fn clean_up(run: &Run, platform: &dyn Platform) {
    let run = uncancelled(run);
    let entries = run.ledger().open_entries();
    let burst = join_all(entries.iter().map(|entry| undo(&run, platform, entry)));
    tokio::select! {
        left = burst => report_orphans(&run, left.into_iter().flatten()),
        () = run.clock().sleep(BURST) => {
            let open = run.ledger().open_entries();
            report_orphans(&run, open.into_iter().map(|entry| (entry, "the cloud did not answer in time".to_owned())));
        }
    }
}

/// Undoes what one image left open.
pub(super) async fn clean_up_image(run: &Run, platform: &dyn Platform, key: &ImageKey) {
    let run = uncancelled(run);
    let image = key.to_string();
    let entries = run.ledger().open_entries();
    let own = entries.iter().filter(|entry| entry.image.as_deref() == Some(image.as_str()));
    join_all(own.map(|entry| undo(&run, platform, entry))).await;
}

/// Keeps what a failed image created (`--keep-on-failure`); its tags say until when.
pub(super) fn keep_image(run: &Run, key: &ImageKey) {
    let image = key.to_string();
    for entry in run.ledger().open_entries() {
        if entry.image.as_deref() == Some(image.as_str()) {
            let name = entry.id.as_deref().unwrap_or(&entry.find_by);
            let hint = "`ami-bake sweep` deletes it once it has expired".to_owned();
            run.emit(Event::Kept { what: format!("{} {name}", entry.kind.replace('-', " ")), hint });
            // A line that can't be written leaves the entry to the next sweep, as everything that is kept.
            let _ = run.ledger().close_entry(&entry, Closed::Kept);
        }
    }
}

/// At a run's end: what all images shared, and again what could not go before, for a while. Where a machine was
/// `kept`, what it holds on to can't go, and nothing is waited for. Also what a later process does for a run that was cut
/// off, on its ledger.
pub async fn finish(run: &Run, platform: &dyn Platform, kept: bool) {
    let run = uncancelled(run);
    if let Err(error) = platform.close(&run).await {
        run.warn(
            format!("could not delete everything that the images of the run shared: {error}"),
            error.help_text().map(Into::into),
        );
    }
    let begun = run.clock().elapsed();
    loop {
        let entries = run.ledger().open_entries();
        let left = join_all(entries.iter().map(|entry| undo(&run, platform, entry))).await;
        let left: Vec<(Entry, String)> = left.into_iter().flatten().collect();
        if left.is_empty() || kept || run.clock().elapsed().saturating_sub(begun) > PATIENCE {
            report_orphans(&run, left);
            return;
        }
        run.clock().sleep(PAUSE).await;
    }
}

/// Undoes one entry. Returns what stays, and why.
async fn undo(run: &Run, platform: &dyn Platform, entry: &Entry) -> Option<(Entry, String)> {
    let why = match platform.undo(run, entry).await {
        Ok(Undo::Done) => {
            // The resource is gone; a line that can't be written only makes a later sweep look once more.
            let _ = run.ledger().close_entry(entry, Closed::Deleted);
            return None;
        }
        Ok(Undo::Later(why)) => why,
        Err(error) => in_full(&error),
    };
    Some((entry.clone(), why))
}

fn in_full(error: &Error) -> String {
    std::iter::once(error.message().to_owned()).chain(error.causes()).collect::<Vec<_>>().join(": ")
}

fn report_orphans(run: &Run, left: impl IntoIterator<Item = (Entry, String)>) {
    for (entry, why) in left {
        let name = entry.id.as_deref().unwrap_or(&entry.find_by);
        let place = entry.region.as_deref().map(|region| format!(" in {region}")).unwrap_or_default();
        run.emit(Event::Orphaned { what: format!("{} {name}{place}", entry.kind.replace('-', " ")), why });
    }
}

/// The clean-up after a cancel must not be cancelled itself.
fn uncancelled(run: &Run) -> Run {
    run.with_cancel(CancellationToken::new())
}
