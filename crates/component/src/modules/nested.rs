//! `ExecuteDocument`: another document on the same machine. It lies there, in S3 or in Image Builder.

use ami_bake_core::output::OutputSink;
use ami_bake_core::services::{ObjectPath, StoredDocument};
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result};
use serde_json::json;
use tokio::io::AsyncReadExt as _;

use super::Doing;
use super::entry::Entry;
use crate::run::{Memory, Outputs, Summary, Use, read_text, run};

/// A larger document was not written by hand.
const SIZE: u64 = 1 << 20;
/// How many documents may run one another, the first included (user guide, `ExecuteDocument`).
const DEPTH: usize = 4;

/// Reads a document from the machine, from S3 or from Image Builder, and runs it.
pub(super) async fn run_document(
    doing: &Doing<'_>,
    entry: Entry<'_>,
    outputs: &mut Outputs,
    output: &mut dyn OutputSink,
) -> Result<()> {
    let place = entry.need("document")?;
    let above: Vec<String> = doing.wanted.above.iter().cloned().chain([doing.wanted.name.to_owned()]).collect();
    if above.len() >= DEPTH {
        return Err(Error::build(format!("documents run each other {DEPTH} deep, and `{place}` would be one more")));
    }
    let stored = if place.starts_with("arn:") { Some(component(doing, place).await?) } else { None };
    // A version or a pattern is another name of the same build.
    let place = stored.as_ref().map_or(place, |stored| stored.arn.as_str());
    if above.iter().any(|name| name == place) {
        return Err(Error::build(format!("the document `{place}` would run itself"))
            .help(format!("The way to it: {}.", above.join(", "))));
    }
    let text = match &stored {
        Some(stored) => stored.text.clone(),
        None => fetch(doing, place, entry.text("document-s3-bucket-owner")).await?,
    };
    let document = read_text(place, &text).map_err(|error| {
        let help = error.help_text().unwrap_or("Correct the document.").to_owned();
        Error::build(error.message().to_owned()).help(help)
    })?;
    let phases: Vec<&str> = entry
        .text("phases")
        .map(|all| all.split(',').map(str::trim).filter(|name| !name.is_empty()).collect())
        .unwrap_or_default();
    if let Some(missing) = phases.iter().find(|name| document.phase(name).is_none()) {
        return Err(Error::build(format!("the document `{place}` has no phase `{missing}`")));
    }
    let parameters = entry.pairs("parameters");
    let wanted = Use {
        document: &document,
        name: place,
        parameters: &parameters,
        phases: (!phases.is_empty()).then_some(phases.as_slice()),
        above: &above,
    };
    let mut memory = Memory::new();
    let ended = Box::pin(run(doing.machine, &wanted, &mut memory, doing.outer, output)).await;
    let (summary, failure) = match &ended {
        Ok(summary) => (*summary, String::new()),
        Err(error) => (Summary { failed: 1, ..Summary::default() }, error.message().to_owned()),
    };
    let told = json!({
        "executedStepCount": summary.passed + summary.ignored + summary.failed,
        "executionId": doing.machine.run.id(),
        "failedStepCount": summary.failed,
        "failureMessage": failure,
        "ignoredFailedStepCount": summary.ignored,
        "logUrl": "",
        "status": if ended.is_ok() { "success" } else { "failed" },
    });
    for (name, value) in told.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        outputs.insert(name.clone(), text);
    }
    ended.map(|_| ())
}

/// A document of Image Builder; which one a version or a pattern means is told.
async fn component(doing: &Doing<'_>, arn: &str) -> Result<StoredDocument> {
    let machine = doing.machine;
    let stored = machine.run.until_cancelled(machine.services()?.component(machine.run, arn)).await??;
    if stored.arn != arn {
        machine.run.progress(format!("{arn} is {}", stored.arn));
    }
    Ok(stored)
}

async fn fetch(doing: &Doing<'_>, place: &str, owner: Option<&str>) -> Result<String> {
    let machine = doing.machine;
    let bytes = if place.starts_with("s3://") {
        let at = ObjectPath { owner: owner.map(str::to_owned), ..ObjectPath::parse(place)? };
        let object = machine.run.until_cancelled(machine.services()?.object(machine.run, &at)).await??;
        if object.size > SIZE {
            return Err(Error::build(format!("`{place}` is larger than 1 MiB: it is no component document")));
        }
        let mut bytes = Vec::new();
        let failed = |error| Error::build(format!("read {at}")).because(error);
        object.content.take(SIZE).read_to_end(&mut bytes).await.map_err(failed)?;
        bytes
    } else {
        let script =
            format!("[ -f {0} ] || {{ echo 'there is no such file' >&2; exit 1; }}; head -c {SIZE} {0}", quote(place));
        machine.sh(&script, doing.outer).await?.passed().map_err(|error| {
            Error::build(format!("read the document `{place}` on the machine: {}", error.message()))
                .help("An earlier step has to bring it there.")
        })?
    };
    String::from_utf8(bytes).map_err(|_| Error::build(format!("the document `{place}` is not UTF-8")))
}
