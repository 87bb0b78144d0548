//! The post step: what the main step left is taken away, with credentials of its own.

use std::path::Path;
use std::time::Duration;

use ami_bake_core::clock::{Clock as _, SystemClock};
use ami_bake_core::engine;
use ami_bake_core::ledger::Ledger;
use ami_bake_core::{Error, Result};

use super::Action;
use crate::session::{Parts, Session, Show};
use crate::ui::Ui;
use crate::{cli, wire};

/// A cancelled main step outlives the runner's patience with it: its container is not killed with the client. It is
/// busy with the same clean-up, and done within seconds.
const MAIN_ENDS: Duration = Duration::from_secs(30);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Finishes what is left. Nothing here fails the job: what can't go is told, and `ami-bake sweep` finds it.
pub(super) fn run(action: &'static Action) -> u8 {
    let Some(path) = action.environment.state("ledger").map(Path::new) else {
        action.log.say("Nothing was begun.\n");
        return 0;
    };
    if !path.exists() {
        action.log.say("Nothing is left behind.\n");
        return 0;
    }
    let result = cli::block_on(clean_up(action, path));
    if let Err(error) = result {
        action.failed_quietly(&error);
    }
    0
}

async fn clean_up(action: &'static Action, path: &Path) -> Result<()> {
    let Some(ledger) = ledger(action, path).await? else { return Ok(()) };
    if ledger.open_entries().is_empty() {
        ledger.finish();
        action.log.say("Nothing is left behind.\n");
        return Ok(());
    }
    let count = ledger.open_entries().len();
    action.log.say(&format!("The main step left {count} of what it made; it is taken away now.\n"));
    let (Some(platform), Some(place)) = (action.environment.state("platform"), action.environment.state("place"))
    else {
        return Err(Error::internal("take away what is left: the main step did not say where")
            .help("`ami-bake sweep --yes` finds it by its tags."));
    };
    let place: wire::Place = serde_json::from_str(place)
        .map_err(|error| Error::internal("read where the main step baked").because(error))?;
    let session = Session::resume(ledger, Parts::reading(Show::Warnings), Ui::detect());
    match wire::platform(platform, place, &session.run).await {
        Ok(platform) => {
            engine::finish(&session.run, platform.as_ref(), false).await;
            let left = session.run.ledger().open_entries().len();
            if left == 0 {
                action.log.say("Nothing is left behind.\n");
            }
            session.end(0).await;
            Ok(())
        }
        Err(error) => session.fail(error).await.map(|_| ()),
    }
}

/// The main step's ledger, once that step has ended. One that lives on has its own clean-up in hand, but not for ever.
async fn ledger(action: &'static Action, path: &Path) -> Result<Option<Ledger>> {
    let clock = SystemClock::default();
    loop {
        match Ledger::resume(path) {
            Ok(ledger) => return Ok(Some(ledger)),
            Err(_) if !path.exists() => {
                action.log.say("Nothing is left behind.\n");
                return Ok(None);
            }
            Err(error) if !error.to_string().contains("still going on") => return Err(error),
            Err(_) if clock.elapsed() > MAIN_ENDS => {
                action.log.say("The main step is still at work; what it holds is taken away all the same.\n");
                return Ledger::take_over(path).map(Some);
            }
            Err(_) => clock.sleep(PAUSE).await,
        }
    }
}
