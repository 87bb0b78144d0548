//! Deletes the resources of a run. Its only source of truth is the ledger, never variables.

use std::time::Duration;

use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::engine::owner;
use crate::engine::patience::{Patience, Waiting};
use crate::error::Error;
use crate::event::Event;
use crate::ledger::{Closed, Entry};
use crate::plan::ImageKey;
use crate::platform::{Platform, Undo};
use crate::run::Run;

/// Time limit for the deletes of a cancelled run: GitHub sends SIGTERM 7.5 s after SIGINT and kills 2.5 s later.
const BURST: Duration = Duration::from_secs(5);

/// A resource that could not be deleted, and why.
struct Remaining {
    entry: Entry,
    why: String,
    /// Kind of the resource that blocks the deletion, if known.
    held_by: Option<&'static str>,
    /// True when a retry can't help.
    refused: bool,
}

/// Requests the deletion of all open entries at once, without waiting for the results. Reports what can't be deleted.
pub async fn clean_up(run: &Run, platform: &dyn Platform) {
    let run = uncancelled(run);
    let entries = run.ledger().open_entries();
    let burst = join_all(entries.iter().map(|entry| undo(&run, platform, entry)));
    tokio::select! {
        left = burst => report_orphans(&run, left.into_iter().flatten()),
        () = run.clock().sleep(BURST) => {
            let open = run.ledger().open_entries().into_iter();
            let why = "the cloud did not answer in time".to_owned();
            let left = open.map(|entry| Remaining { entry, why: why.clone(), held_by: None, refused: false });
            report_orphans(&run, left);
        }
    }
}

/// Undoes the open entries of one image.
pub(super) async fn clean_up_image(run: &Run, platform: &dyn Platform, key: &ImageKey) {
    let run = uncancelled(run);
    let image = key.to_string();
    let entries = run.ledger().open_entries();
    let own = entries.iter().filter(|entry| entry.image.as_deref() == Some(image.as_str()));
    join_all(own.map(|entry| undo(&run, platform, entry))).await;
}

/// Keeps the resources of a failed image (`--keep-on-failure`); their tags have the expiry.
pub(super) fn keep_image(run: &Run, key: &ImageKey) {
    let image = key.to_string();
    for entry in run.ledger().open_entries() {
        if entry.image.as_deref() == Some(image.as_str()) {
            let name = entry.id.as_deref().unwrap_or(&entry.find_by);
            let hint = "`ami-bake sweep` deletes it once it has expired".to_owned();
            run.emit(Event::Kept { what: format!("{} {name}", entry.kind.replace('-', " ")), hint });
            run.ledger().close_entry(&entry, Closed::Kept);
        }
    }
}

/// Cleans up at the end of a run: resources that all images shared, and those that could not be deleted before, for a
/// limited time. If a machine was `kept`, resources that it uses can't be deleted, and there is no wait. A later
/// process also calls this with the ledger of a run that was cut off. True when nothing is left.
pub async fn finish(run: &Run, platform: &dyn Platform, kept: bool) -> bool {
    let run = uncancelled(run);
    // With other credentials each open entry is reported with the reason below.
    if owner::check(&run, platform, run.ledger()).await.is_ok()
        && let Err(error) = platform.close(&run).await
    {
        run.warn(
            format!("could not delete everything that the images of the run shared: {error}"),
            error.help_text().map(Into::into),
        );
    }
    let patience = Patience::begin(&run);
    let mut refused: Vec<Remaining> = Vec::new();
    loop {
        let mut entries = run.ledger().open_entries();
        entries.retain(|entry| refused.iter().all(|one| one.entry.number != entry.number));
        let left = join_all(entries.iter().map(|entry| undo(&run, platform, entry))).await;
        let (denied, waiting): (Vec<_>, Vec<_>) = left.into_iter().flatten().partition(|one| one.refused);
        refused.extend(denied);
        let kinds: Vec<&str> = refused.iter().map(|one| one.entry.kind.as_str()).collect();
        let wait: Vec<Waiting<'_>> =
            waiting.iter().map(|one| Waiting { kind: &one.entry.kind, held_by: one.held_by }).collect();
        if kept || !patience.again(&run, &wait, &kinds).await {
            let clean = refused.is_empty() && waiting.is_empty();
            report_orphans(&run, refused.into_iter().chain(waiting));
            return clean;
        }
    }
}

/// Undoes one entry. Returns the resource if it is left, with the reason.
async fn undo(run: &Run, platform: &dyn Platform, entry: &Entry) -> Option<Remaining> {
    let stays = |why, held_by, refused| Some(Remaining { entry: entry.clone(), why, held_by, refused });
    match owner::undo(run, platform, run.ledger(), entry).await {
        Ok(Undo::Done) => run.ledger().close_entry(entry, Closed::Deleted),
        Ok(Undo::Kept(_)) => run.ledger().close_entry(entry, Closed::Published),
        Ok(Undo::Later(why)) => return stays(why, None, false),
        Ok(Undo::Held { by, why }) => return stays(why, Some(by), false),
        Err(error) => return stays(in_full(&error), None, error.is_denied()),
    }
    None
}

/// The error with its causes and help.
fn in_full(error: &Error) -> String {
    let text = std::iter::once(error.message().to_owned()).chain(error.causes()).collect::<Vec<_>>().join(": ");
    match error.help_text() {
        Some(help) => format!("{}. {help}", text.trim_end_matches('.')),
        None => text,
    }
}

fn report_orphans(run: &Run, left: impl IntoIterator<Item = Remaining>) {
    for Remaining { entry, why, .. } in left {
        let name = entry.id.as_deref().unwrap_or(&entry.find_by);
        let place = entry.region.as_deref().map(|region| format!(" in {region}")).unwrap_or_default();
        run.emit(Event::Orphaned { what: format!("{} {name}{place}", entry.kind.replace('-', " ")), why });
    }
    if let Some(why) = run.ledger().unwritten() {
        run.warn(
            format!("the ledger is incomplete: {why}"),
            Some("Free some disk space. Once the resources have expired, `ami-bake sweep` also finds them by their tags.".to_owned()),
        );
    }
}

/// The run without its cancellation: the clean-up after a cancel must not be cancelled itself.
fn uncancelled(run: &Run) -> Run {
    run.with_cancel(CancellationToken::new())
}
