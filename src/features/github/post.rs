//! The post step: cleans up after the main step, with credentials of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::clock::{Clock as _, SystemClock};
use ami_bake_core::engine;
use ami_bake_core::ledger::Ledger;
use ami_bake_core::{Error, Result};
use uuid::Uuid;

use super::action::Action;
use super::feedback::{self, Page};
use super::host::ActionHost;
use crate::args::PlatformArgs;
use crate::platforms::Platforms;
use crate::program::Program;
use crate::report::Show;
use crate::runtime::block_on;
use crate::session::{Session, Settings, report_broken};

/// Maximum time to wait for the main step. The runner stops waiting for a cancelled step, but its container keeps
/// running: it is busy with the same clean-up, and done within seconds.
const MAIN_ENDS: Duration = Duration::from_secs(30);
/// Pause between two checks of the ledger.
const PAUSE: Duration = Duration::from_millis(500);
const NOTHING_LEFT: &str = "Nothing to clean up.\n";

/// Cleans up, then writes the comment of a main step that could not. Nothing here fails the job: what can't be deleted is
/// reported, and `ami-bake sweep` finds it.
pub(super) fn run(action: &Arc<Action>, platforms: Platforms) -> u8 {
    let clean = clean(action, platforms).unwrap_or_else(|error| {
        action.warn(&error);
        false
    });
    finish_comment(action, clean);
    0
}

/// Deletes what the main step left. True when nothing is left.
///
/// # Errors
/// When that can't be told.
fn clean(action: &Arc<Action>, platforms: Platforms) -> Result<bool> {
    let Some(path) = action.environment.state("ledger").map(Path::new) else {
        action.log.say(NOTHING_LEFT);
        return Ok(true);
    };
    match path.try_exists() {
        Ok(true) => block_on(clean_up(action, platforms, path)),
        // A ledger is deleted once everything is cleaned up, but its folder stays.
        Ok(false) if path.parent().is_some_and(Path::is_dir) => {
            action.log.say(NOTHING_LEFT);
            Ok(true)
        }
        looked => {
            let error = Error::internal(format!("cannot tell what is left: no ledger at {}", path.display()))
                .help("Run `ami-bake sweep --yes`: it finds what is left by its tags.");
            Err(match looked {
                Err(cause) => error.because(cause),
                Ok(_) => error,
            })
        }
    }
}

/// Commands whose main step writes a comment when it ends.
const COMMENT: [&str; 7] = ["bake", "check", "plan", "test", "publish", "promote", "deploy"];

/// Writes the comment and the summary in place of a main step that was cancelled, killed or crashed before it could.
fn finish_comment(action: &Action, clean: bool) {
    let state = |name: &str| action.environment.state(name);
    if state("commented").is_some() || !COMMENT.contains(&state("command").unwrap_or_default()) {
        return;
    }
    let (title, how) = if state("cancelled").is_some() {
        ("🚫 ami-bake: cancelled", "The step was cancelled")
    } else {
        ("⚠️ ami-bake: did not end", "The step was killed or crashed")
    };
    let left = if clean {
        "Nothing is left to clean up. The log of the job has the details."
    } else {
        "Temporary resources may be left: the log of the post step says why. ami-bake sweep --yes deletes them."
    };
    feedback::show(action, &Page { title, text: &format!("{how}. {left}") });
}

/// Deletes what the ledger lists. True when nothing is left.
async fn clean_up(action: &Arc<Action>, platforms: Platforms, path: &Path) -> Result<bool> {
    let Some(ledger) = ledger(action, path).await? else { return Ok(true) };
    let count = ledger.open_entries().len();
    if count == 0 {
        ledger.finish();
        action.log.say(NOTHING_LEFT);
        return Ok(true);
    }
    let resources = if count == 1 { "resource" } else { "resources" };
    action.log.say(&format!("Cleaning up {count} {resources} left by the main step\n"));
    let (Some(name), Some(args)) = (action.environment.state("platform"), action.environment.state("platform-args"))
    else {
        return Err(Error::internal("could not clean up: the main step did not save the platform it used")
            .help("Run `ami-bake sweep --yes`: it finds what is left by tag."));
    };
    let args: PlatformArgs = serde_json::from_str(args)
        .map_err(|error| Error::internal("could not read the platform settings of the main step").because(error))?;
    let program = Program { host: Arc::new(ActionHost::new(Arc::clone(action))), platforms };
    let id = Uuid::now_v7().simple().to_string();
    let session = Session::with_ledger(id, ledger, Settings::reading(Show::Warnings), &program.host);
    report_broken(&session.run, session.run.ledger());
    match program.connect(name, args, &session.run).await {
        Ok(platform) => {
            let clean = engine::finish(&session.run, platform.as_ref(), false).await;
            if clean {
                action.log.say("Cleaned up\n");
            }
            session.end(0).await;
            Ok(clean)
        }
        Err(error) => session.fail(error).await.map(|_| false),
    }
}

/// The main step's ledger, once that step has ended. A main step that is still running cleans up by itself, but the
/// wait for it is limited. `None` when nothing is left.
async fn ledger(action: &Action, path: &Path) -> Result<Option<Ledger>> {
    let clock = SystemClock::default();
    loop {
        match Ledger::resume(path) {
            Ok(Some(ledger)) => return Ok(Some(ledger)),
            Err(_) if matches!(path.try_exists(), Ok(false)) => {
                action.log.say(NOTHING_LEFT);
                return Ok(None);
            }
            Err(error) => return Err(error),
            Ok(None) if clock.elapsed() > MAIN_ENDS => {
                action.log.say("The main step is still running; cleaning up what it holds anyway\n");
                return Ledger::take_over(path).map(Some);
            }
            Ok(None) => clock.sleep(PAUSE).await,
        }
    }
}
