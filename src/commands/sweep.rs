//! `ami-bake sweep`

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::ledger::{Closed, Entry, Ledger};
use ami_bake_core::platform::{Orphan, Platform, Undo};
use ami_bake_core::{ErrorKind, Result, Run};
use serde_json::json;

use crate::args::{IdentityArgs, ManifestArgs, PlatformArgs, StoreArgs};
use crate::error::sentence;
use crate::host::Host;
use crate::program::Program;
use crate::report::Show;
use crate::session::{Session, Settings, ledgers, target};
use crate::table::{Cell, table};
use crate::ui::Paint;

/// List resources that interrupted runs left, and delete them with --yes
///
/// Finds expired resources by their tags in the given regions, and what killed runs left on this machine by their
/// ledgers. Deletes nothing without --yes. A tested image is deleted only if it is a pre-release, such as one of a pull
/// request, that is older than seven days and not in use.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake sweep
  ami-bake sweep --region us-east-1 --region eu-west-1 --yes
  ami-bake sweep --platform local --yes")]
pub(crate) struct Args {
    /// Manifest to take platform, region and role from
    ///
    /// Default: bake.yml or .github/bake.yml, if one exists.
    manifest: Option<std::path::PathBuf>,

    /// Platform: aws, docker or local. Default: from the manifest
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,

    /// Apply this entry of the manifest's `environments`
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,

    /// AWS region to search; may be repeated. Default: from the manifest, else from the environment
    #[arg(long, value_name = "REGION")]
    region: Vec<String>,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    identity: IdentityArgs,

    /// Delete the resources
    #[arg(long)]
    yes: bool,

    /// Print the resources as JSON
    #[arg(long)]
    json: bool,
}

/// A resource that a run left, and how it was found.
enum Found {
    /// By its tags.
    Tagged(Orphan),
    /// By the ledger of a killed run.
    Listed(usize, Entry),
}

/// What was done with a resource.
enum State {
    Found,
    Deleted,
    /// It can't be deleted yet, and why.
    Later(String),
    /// Deleting it failed, and why.
    Refused(String),
}

impl State {
    fn is_open(&self) -> bool {
        matches!(self, Self::Found | Self::Later(_))
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Found => f.write_str("found"),
            Self::Deleted => f.write_str("deleted"),
            Self::Later(why) | Self::Refused(why) => write!(f, "not deleted: {why}"),
        }
    }
}

/// A resource and its state.
struct Row {
    found: Found,
    platform: Arc<dyn Platform>,
    state: State,
}

/// How long resources that can't be deleted yet are tried again, as at the end of a bake.
const PATIENCE: Duration = Duration::from_secs(90);
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_secs(2);

pub(crate) async fn run(args: Args, program: &Program) -> Result<u8> {
    let session = Session::begin(Settings::reading(Show::Warnings), &program.host)?;
    match sweep(&args, &session.run, program).await {
        Ok(code) => Ok(session.end(code).await),
        Err(error) => session.fail(error).await,
    }
}

async fn sweep(args: &Args, run: &Run, program: &Program) -> Result<u8> {
    let platforms = platforms(args, run, program).await?;
    let ledgers = ledgers_of_killed_runs(run, program)?;
    let mut rows = find(run, &platforms, &ledgers).await?;
    let code = if args.yes { remove_all(run, &mut rows, &ledgers).await? } else { 0 };
    show(&rows, args, program.host.as_ref());
    Ok(code)
}

/// Deletes the resources. Those that can't be deleted yet, such as the security group of a machine that is still
/// terminating, are tried again for a while. Returns the exit code of the first failure.
async fn remove_all(run: &Run, rows: &mut [Row], ledgers: &[Ledger]) -> Result<u8> {
    let begun = run.clock().elapsed();
    let mut code = 0;
    loop {
        for row in rows.iter_mut().filter(|row| row.state.is_open()) {
            run.check()?;
            if let Some(kind) = remove(run, row, ledgers).await {
                code = if code == 0 { kind.exit_code() } else { code };
            }
        }
        let waits = rows.iter().any(|row| matches!(row.state, State::Later(_)));
        if !waits || run.clock().elapsed().saturating_sub(begun) > PATIENCE {
            break;
        }
        run.sleep(PAUSE).await?;
    }
    for ledger in ledgers {
        ledger.finish();
    }
    Ok(code)
}

/// Connects to the platform, once for each region.
async fn platforms(args: &Args, run: &Run, program: &Program) -> Result<Vec<Arc<dyn Platform>>> {
    let manifest = ManifestArgs {
        manifest: args.manifest.clone(),
        platform: args.platform.clone(),
        environment: args.environment.clone(),
        ..ManifestArgs::default()
    };
    let regions: Vec<Option<String>> =
        if args.region.is_empty() { vec![None] } else { args.region.iter().cloned().map(Some).collect() };
    let mut platforms = Vec::new();
    for region in regions {
        let access = PlatformArgs { region, store: args.store.clone(), identity: args.identity.clone() };
        platforms.push(target(program, &manifest, access)?.connect(program, run).await?);
    }
    Ok(platforms)
}

/// The ledgers of runs that were killed. Warns of those that can't be read.
fn ledgers_of_killed_runs(run: &Run, program: &Program) -> Result<Vec<Ledger>> {
    let mut found = Vec::new();
    for path in Ledger::left_in(&ledgers(program.host.as_ref())?) {
        match Ledger::resume(&path) {
            Ok(ledger) => found.extend(ledger),
            Err(error) => run.warn(sentence(&error), error.help_text().map(str::to_owned)),
        }
    }
    Ok(found)
}

async fn find(run: &Run, platforms: &[Arc<dyn Platform>], ledgers: &[Ledger]) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for platform in platforms {
        let name = platform.capabilities().platform;
        for (index, ledger) in ledgers.iter().enumerate() {
            let open = ledger.open_entries().into_iter();
            for entry in open.filter(|entry| entry.platform == name && in_region(entry, platform.as_ref())) {
                rows.push(Row {
                    found: Found::Listed(index, entry),
                    platform: Arc::clone(platform),
                    state: State::Found,
                });
            }
        }
        for orphan in run.until_cancelled(platform.expired(run)).await?? {
            // Resources without a region, such as roles, are found in each.
            let known = rows.iter().any(|row| match &row.found {
                Found::Listed(_, entry) => entry.id.as_ref() == Some(&orphan.id),
                Found::Tagged(found) => found.region.is_none() && *found == orphan,
            });
            if !known {
                rows.push(Row { found: Found::Tagged(orphan), platform: Arc::clone(platform), state: State::Found });
            }
        }
    }
    Ok(rows)
}

fn in_region(entry: &Entry, platform: &dyn Platform) -> bool {
    entry.region.is_none() || platform.region().is_none() || entry.region == platform.region()
}

/// Deletes one resource. Returns the kind of the error when that fails.
async fn remove(run: &Run, row: &mut Row, ledgers: &[Ledger]) -> Option<ErrorKind> {
    let result = match &row.found {
        Found::Tagged(orphan) => row.platform.remove(run, orphan).await,
        Found::Listed(_, entry) => row.platform.undo(run, entry).await,
    };
    let (state, kind) = match result {
        Ok(Undo::Done) => (State::Deleted, None),
        Ok(Undo::Later(why)) => (State::Later(why), None),
        Err(error) => (State::Refused(sentence(&error)), Some(error.kind())),
    };
    row.state = state;
    if let (State::Deleted, Found::Listed(index, entry)) = (&row.state, &row.found) {
        // If the ledger can't be written, the next sweep tries again.
        let _ = ledgers[*index].close_entry(entry, Closed::Deleted);
    }
    kind
}

fn show(rows: &[Row], args: &Args, host: &dyn Host) {
    if args.json {
        let rows: Vec<_> = rows.iter().map(as_value).collect();
        host.json(&json!({"format": 1, "found": rows}), false);
        return;
    }
    if rows.is_empty() {
        host.say("Nothing to delete.\n");
        return;
    }
    let cells: Vec<Vec<Cell>> = rows.iter().map(as_cells).collect();
    host.data(&table(&["resource", "id", "region", "run", "description", "state"], &cells, host.ui().paint_data));
    if !args.yes {
        host.say(&format!("\n{} to delete; rerun with --yes\n", rows.len()));
    }
}

fn as_value(row: &Row) -> serde_json::Value {
    let (kind, id, region, run, about) = parts(row);
    json!({"kind": kind, "id": id, "region": region, "run": run, "about": about, "state": row.state.to_string()})
}

fn as_cells(row: &Row) -> Vec<Cell> {
    let (kind, id, region, run, about) = parts(row);
    let text = |text: Option<String>| Cell::new(text.unwrap_or_default());
    let look = match row.state {
        State::Deleted => Paint::good,
        State::Found | State::Later(_) => Paint::odd,
        State::Refused(_) => Paint::bad,
    };
    vec![
        Cell::new(kind),
        Cell::new(id),
        text(region),
        text(run),
        Cell::new(about),
        Cell::new(row.state.to_string()).look(look),
    ]
}

fn parts(row: &Row) -> (String, String, Option<String>, Option<String>, String) {
    match &row.found {
        Found::Tagged(found) => {
            (found.kind.clone(), found.id.clone(), found.region.clone(), found.run.clone(), found.about.clone())
        }
        Found::Listed(_, entry) => (
            entry.kind.clone(),
            entry.id.clone().unwrap_or_else(|| entry.find_by.clone()),
            entry.region.clone(),
            Some(entry.run.clone()),
            entry
                .image
                .as_deref()
                .map_or_else(|| "from the ledger".to_owned(), |image| format!("for {image}, from the ledger")),
        ),
    }
}
