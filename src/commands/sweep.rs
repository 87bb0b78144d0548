//! The command `ami-bake sweep`.

use std::collections::BTreeSet;
use std::sync::Arc;

use ami_bake_core::engine::{self, Patience, Waiting};
use ami_bake_core::error::UNCLEAN;
use ami_bake_core::ledger::{Closed, Entry, Ledger};
use ami_bake_core::platform::{Orphan, Platform, SweepScope, Undo};
use ami_bake_core::{Result, Run};
use serde_json::json;

use crate::args::{AccessArgs, IdentityArgs, ManifestArgs, PlatformArgs, StoreArgs};
use crate::error::sentence;
use crate::host::Host;
use crate::program::Program;
use crate::report::Show;
use crate::report::text::region;
use crate::session::{Session, Settings, ledgers, report_broken, target};
use crate::table::{Cell, table};
use crate::ui::Paint;

/// List resources that interrupted runs left, and delete them with --yes
///
/// Finds expired resources by their tags, and what killed runs left on this machine by their ledgers. With a manifest:
/// in every region and account that it publishes or deploys to. Deletes nothing without --yes, and nothing of a run that
/// is still active. A tested image is deleted only if it is a pre-release, such as one of a pull request, that is older
/// than seven days and not in use.
///
/// The exit code is 9 if something could not be deleted or a region could not be searched.
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

    /// Platform: aws, docker, local or vm. Default: from the manifest
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

    #[command(flatten)]
    access: AccessArgs,

    /// Delete the resources
    #[arg(long)]
    yes: bool,

    /// Print the resources as JSON
    #[arg(long)]
    json: bool,
}

/// A resource that a run left, and how it was found.
enum Found {
    /// Found by its tags.
    Tagged(Orphan),
    /// Found in the ledger of a killed run.
    Listed(usize, Entry),
}

/// What was done with a resource.
enum State {
    Found,
    Deleted,
    /// It belongs to something published, for this reason.
    Kept(String),
    /// It can't be deleted yet, for this reason.
    Later {
        why: String,
        /// Kind of the resource that blocks the deletion, if known.
        held_by: Option<&'static str>,
    },
    /// Deleting it failed, for this reason; it is retried if that may help.
    Refused {
        why: String,
        definite: bool,
    },
}

impl State {
    fn is_open(&self) -> bool {
        matches!(self, Self::Found | Self::Later { .. } | Self::Refused { definite: false, .. })
    }

    fn is_left(&self) -> bool {
        matches!(self, Self::Later { .. } | Self::Refused { .. })
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Found => f.write_str("found"),
            Self::Deleted => f.write_str("deleted"),
            Self::Kept(why) => write!(f, "kept: {why}"),
            Self::Later { why, .. } | Self::Refused { why, .. } => write!(f, "not deleted: {why}"),
        }
    }
}

/// A resource and its state.
struct Row {
    found: Found,
    platform: Arc<dyn Platform>,
    state: State,
}

impl Row {
    fn kind(&self) -> &str {
        match &self.found {
            Found::Tagged(orphan) => &orphan.kind,
            Found::Listed(_, entry) => &entry.kind,
        }
    }
}

/// The ledgers on this machine.
struct Ledgers {
    /// Resources in the ledgers of killed runs.
    killed: Vec<Ledger>,
    /// The runs whose process is still running.
    active: BTreeSet<String>,
}

pub(crate) async fn run(args: Args, program: &Program) -> Result<u8> {
    let session = Session::begin(Settings::reading(Show::Warnings), &program.host)?;
    match sweep(&args, &session.run, program).await {
        Ok(code) => Ok(session.end(code).await),
        Err(error) => session.fail(error).await,
    }
}

async fn sweep(args: &Args, run: &Run, program: &Program) -> Result<u8> {
    let (platforms, scope) = platforms(args, run, program).await?;
    let ledgers = ledgers_on_this_machine(run, program)?;
    let (mut rows, complete) = find(args, run, &platforms, &scope, &ledgers).await?;
    if args.yes {
        remove_all(run, &mut rows, &ledgers.killed).await?;
    }
    show(&rows, args, program.host.as_ref());
    let clean = complete && rows.iter().all(|row| !row.state.is_left());
    Ok(if clean { 0 } else { UNCLEAN })
}

/// Deletes the resources. Those that can't be deleted yet, such as the security group of a machine that is still
/// terminating, are retried for a limited time.
async fn remove_all(run: &Run, rows: &mut [Row], ledgers: &[Ledger]) -> Result<()> {
    let patience = Patience::begin(run);
    loop {
        for row in rows.iter_mut().filter(|row| row.state.is_open()) {
            run.check()?;
            remove(run, row, ledgers).await;
        }
        let mut waiting = Vec::new();
        let mut refused = Vec::new();
        for row in &*rows {
            match row.state {
                State::Later { held_by, .. } => waiting.push(Waiting { kind: row.kind(), held_by }),
                State::Refused { definite: false, .. } => waiting.push(Waiting { kind: row.kind(), held_by: None }),
                State::Refused { .. } => refused.push(row.kind()),
                _ => {}
            }
        }
        if !patience.again(run, &waiting, &refused).await {
            break;
        }
    }
    for ledger in ledgers {
        ledger.finish();
    }
    run.check()
}

/// Connects to the platform, once for each region, and returns where else the manifest publishes images.
async fn platforms(args: &Args, run: &Run, program: &Program) -> Result<(Vec<Arc<dyn Platform>>, SweepScope)> {
    let manifest = ManifestArgs {
        manifest: args.manifest.clone(),
        platform: args.platform.clone(),
        environment: args.environment.clone(),
        access: args.access.clone(),
        ..ManifestArgs::default()
    };
    let regions: Vec<Option<String>> =
        if args.region.is_empty() { vec![None] } else { args.region.iter().cloned().map(Some).collect() };
    let mut platforms = Vec::new();
    let mut scope = SweepScope::default();
    for region in regions {
        let access = PlatformArgs { region, store: args.store.clone(), identity: args.identity.clone() };
        let target = target(program, &manifest, access)?;
        platforms.push(target.connect(program, run).await?);
        if args.region.is_empty() {
            scope = SweepScope { published: target.published, deployed: target.deployed };
        }
    }
    Ok((platforms, scope))
}

/// The ledgers on this machine. Warns about unreadable ones.
fn ledgers_on_this_machine(run: &Run, program: &Program) -> Result<Ledgers> {
    let mut found = Ledgers { killed: Vec::new(), active: BTreeSet::new() };
    for path in Ledger::left_in(&ledgers(program.host.as_ref())?)? {
        // Another process may have completed it meanwhile.
        if !path.exists() {
            continue;
        }
        match Ledger::resume(&path) {
            Ok(Some(ledger)) => {
                report_broken(run, &ledger);
                found.killed.push(ledger);
            }
            Ok(None) => found.active.extend(Ledger::run_of(&path).map(str::to_owned)),
            Err(error) => run.warn(sentence(&error), error.help_text().map(str::to_owned)),
        }
    }
    Ok(found)
}

async fn find(
    args: &Args,
    run: &Run,
    platforms: &[Arc<dyn Platform>],
    scope: &SweepScope,
    ledgers: &Ledgers,
) -> Result<(Vec<Row>, bool)> {
    let mut rows: Vec<Row> = Vec::new();
    let mut complete = true;
    for platform in platforms {
        let name = platform.capabilities().platform;
        for (index, ledger) in ledgers.killed.iter().enumerate() {
            let open = ledger.open_entries().into_iter();
            // A ledger records the regions of its resources; regions on the command line restrict it.
            let here = |entry: &Entry| args.region.is_empty() || in_region(entry, platform.as_ref());
            for entry in open.filter(|entry| entry.platform == name && here(entry)) {
                rows.push(Row {
                    found: Found::Listed(index, entry),
                    platform: Arc::clone(platform),
                    state: State::Found,
                });
            }
        }
        let orphans = run.until_cancelled(platform.expired(run, scope)).await??;
        complete &= !orphans.incomplete;
        for orphan in orphans.found {
            // Resources without a region, such as roles, are found in each.
            let known = rows.iter().any(|row| match &row.found {
                Found::Listed(_, entry) => entry.id.as_ref() == Some(&orphan.id),
                Found::Tagged(found) => found.region.is_none() && *found == orphan,
            });
            let active = orphan.run.as_ref().is_some_and(|run| ledgers.active.contains(run));
            if !known && !active {
                rows.push(Row { found: Found::Tagged(orphan), platform: Arc::clone(platform), state: State::Found });
            }
        }
    }
    Ok((rows, complete))
}

fn in_region(entry: &Entry, platform: &dyn Platform) -> bool {
    entry.region.is_none() || platform.region().is_none() || entry.region == platform.region()
}

/// Deletes one resource.
async fn remove(run: &Run, row: &mut Row, ledgers: &[Ledger]) {
    let result = match &row.found {
        Found::Tagged(orphan) => row.platform.remove(run, orphan).await,
        Found::Listed(index, entry) => engine::undo(run, row.platform.as_ref(), &ledgers[*index], entry).await,
    };
    row.state = match result {
        Ok(Undo::Done) => State::Deleted,
        Ok(Undo::Kept(why)) => State::Kept(why),
        Ok(Undo::Later(why)) => State::Later { why, held_by: None },
        Ok(Undo::Held { by, why }) => State::Later { why, held_by: Some(by) },
        Err(error) => State::Refused { why: sentence(&error), definite: error.is_denied() },
    };
    let closed = match row.state {
        State::Deleted => Closed::Deleted,
        State::Kept(_) => Closed::Published,
        _ => return,
    };
    if let Found::Listed(index, entry) = &row.found {
        ledgers[*index].close_entry(entry, closed);
    }
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
    let (kind, id, _, run, about) = parts(row);
    let (region, account) = match &row.found {
        Found::Tagged(found) => (&found.region, found.account.as_ref()),
        Found::Listed(_, entry) => (&entry.region, None),
    };
    json!({"account": account, "kind": kind, "id": id, "region": region, "run": run, "about": about, "state": row.state.to_string()})
}

fn as_cells(row: &Row) -> Vec<Cell> {
    let (kind, id, region, run, about) = parts(row);
    let text = |text: Option<String>| Cell::new(text.unwrap_or_default());
    let look = match row.state {
        State::Deleted | State::Kept(_) => Paint::good,
        State::Found | State::Later { .. } => Paint::odd,
        State::Refused { .. } => Paint::bad,
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
            let place = region(found.region.as_deref(), found.account.as_deref());
            (found.kind.clone(), found.id.clone(), Some(place), found.run.clone(), found.about.clone())
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
