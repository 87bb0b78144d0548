//! `ami-bake sweep`

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::ledger::{Closed, Entry, Ledger};
use ami_bake_core::platform::{Orphan, Platform, Undo};
use ami_bake_core::{Error, ErrorKind, Result, Run};
use serde_json::json;

use crate::cli::{IdentityArgs, ManifestArgs, PlaceArgs};
use crate::session::{Parts, Session, Show, ledgers, target};
use crate::table::{Cell, table};
use crate::ui::{Paint, Ui};

/// Find what broken runs left behind, and delete it with --yes
///
/// Finds by tag what expired, in every region named, and by their ledgers what runs of this machine left that were
/// killed. Shows it; deletes it only with --yes. An image that is tagged as tested is deleted only when it is a
/// pre-release, such as a pull request's, whose seven days are over, and nobody uses it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake sweep
  ami-bake sweep --region us-east-1 --region eu-west-1 --yes
  ami-bake sweep --platform local --yes")]
pub(crate) struct Args {
    /// The manifest that says where: platform, region and role
    ///
    /// Without it: bake.yml or .github/bake.yml where there is one.
    manifest: Option<std::path::PathBuf>,

    /// The platform instead of the manifest's: aws, docker or local
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,

    /// Merge this entry of the manifest's `environments` over it
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,

    /// An AWS region to look into; may be repeated
    #[arg(long, value_name = "REGION")]
    region: Vec<String>,

    /// The folder of the local platform's images
    #[arg(long, value_name = "FOLDER")]
    store: Option<std::path::PathBuf>,

    #[command(flatten)]
    identity: IdentityArgs,

    /// Delete what was found
    #[arg(long)]
    yes: bool,

    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

/// Something that a run left, and how it was found.
enum Found {
    /// By its tags.
    Tagged(Orphan),
    /// By a ledger whose run is dead.
    Listed(usize, Entry),
}

/// What became of it.
enum State {
    Found,
    Deleted,
    /// It can't go yet, and why.
    Later(String),
    /// It was refused, and why.
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
            Self::Later(why) | Self::Refused(why) => write!(f, "still there: {why}"),
        }
    }
}

/// What was found, with what became of it.
struct Row {
    found: Found,
    platform: Arc<dyn Platform>,
    state: State,
}

/// How long things that can't go yet are waited for, as at the end of a bake.
const PATIENCE: Duration = Duration::from_secs(90);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_secs(2);

pub(crate) async fn run(args: Args, ui: Ui) -> Result<u8> {
    let session = Session::begin(Parts::reading(Show::Warnings), ui)?;
    match sweep(&args, &session.run, ui).await {
        Ok(code) => Ok(session.end(code).await),
        Err(error) => session.fail(error).await,
    }
}

async fn sweep(args: &Args, run: &Run, ui: Ui) -> Result<u8> {
    let platforms = platforms(args, run, ui).await?;
    let ledgers = left_ledgers(run)?;
    let mut rows = find(run, &platforms, &ledgers).await?;
    let code = if args.yes { remove_all(run, &mut rows, &ledgers).await? } else { 0 };
    show(&rows, args, ui);
    Ok(code)
}

/// Deletes what was found. What can't go yet, such as a group under a machine that is on its way out, is asked again for
/// a while. Answers the exit code of the first refusal.
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

/// One platform for each region that is named, or the one of the manifest.
async fn platforms(args: &Args, run: &Run, ui: Ui) -> Result<Vec<Arc<dyn Platform>>> {
    let manifest = ManifestArgs {
        manifest: args.manifest.clone(),
        image: Vec::new(),
        platform: args.platform.clone(),
        environment: args.environment.clone(),
        set: Vec::new(),
        var_file: Vec::new(),
    };
    let regions: Vec<Option<String>> =
        if args.region.is_empty() { vec![None] } else { args.region.iter().cloned().map(Some).collect() };
    let mut platforms = Vec::new();
    for region in regions {
        let place = PlaceArgs { region, store: args.store.clone(), identity: args.identity.clone() };
        platforms.push(target(&manifest, place, ui)?.platform(run).await?);
    }
    Ok(platforms)
}

/// The ledgers of runs that are dead. One that can't be read is named and left.
fn left_ledgers(run: &Run) -> Result<Vec<Ledger>> {
    let mut ledgers_left = Vec::new();
    for path in Ledger::left_in(&ledgers()?) {
        match Ledger::resume(&path) {
            Ok(ledger) => ledgers_left.push(ledger),
            Err(error) if error.to_string().contains("still going on") => {}
            Err(error) => run.warn(format!("could not {error}"), error.help_text().map(str::to_owned)),
        }
    }
    Ok(ledgers_left)
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
        for leftover in run.until_cancelled(platform.expired(run)).await?? {
            // What has no region, such as a role, is found from each.
            let known = rows.iter().any(|row| match &row.found {
                Found::Listed(_, entry) => entry.id.as_ref() == Some(&leftover.id),
                Found::Tagged(found) => found.region.is_none() && *found == leftover,
            });
            if !known {
                rows.push(Row { found: Found::Tagged(leftover), platform: Arc::clone(platform), state: State::Found });
            }
        }
    }
    Ok(rows)
}

fn in_region(entry: &Entry, platform: &dyn Platform) -> bool {
    entry.region.is_none() || platform.region().is_none() || entry.region == platform.region()
}

/// Deletes one thing, and answers the kind of a refusal.
async fn remove(run: &Run, row: &mut Row, ledgers: &[Ledger]) -> Option<ErrorKind> {
    let result = match &row.found {
        Found::Tagged(leftover) => row.platform.remove(run, leftover).await,
        Found::Listed(_, entry) => row.platform.undo(run, entry).await,
    };
    let (state, kind) = match result {
        Ok(Undo::Done) => (State::Deleted, None),
        Ok(Undo::Later(why)) => (State::Later(why), None),
        Err(error) => (State::Refused(describe(&error)), Some(error.kind())),
    };
    row.state = state;
    if let (State::Deleted, Found::Listed(index, entry)) = (&row.state, &row.found) {
        // A line that can't be written makes the next sweep look once more.
        let _ = ledgers[*index].close_entry(entry, Closed::Deleted);
    }
    kind
}

fn describe(error: &Error) -> String {
    std::iter::once(error.message().to_owned()).chain(error.causes()).collect::<Vec<_>>().join(": ")
}

fn show(rows: &[Row], args: &Args, ui: Ui) {
    if args.json {
        let rows: Vec<_> = rows.iter().map(as_value).collect();
        ui.data(&format!("{:#}\n", json!({"format": 1, "found": rows})));
        return;
    }
    if rows.is_empty() {
        ui.say("Nothing is left behind.\n");
        return;
    }
    let cells: Vec<Vec<Cell>> = rows.iter().map(as_cells).collect();
    ui.data(&table(&["what", "id", "region", "run", "about", "state"], &cells, ui.paint_data));
    if !args.yes {
        ui.say(&format!("\n{} to delete: give --yes.\n", rows.len()));
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
                .map_or_else(|| "from the ledger".to_owned(), |image| format!("of {image}, from the ledger")),
        ),
    }
}
