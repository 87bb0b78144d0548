//! `ExecuteDocument`: runs another document on the same machine. It is a file there, in S3 or in Image Builder.

use ami_bake_core::output::OutputSink;
use ami_bake_core::services::{ObjectPath, StoredDocument};
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result};
use serde_json::json;
use tokio::io::AsyncReadExt as _;

use super::Attempt;
use super::Summary;
use super::inputs::Inputs;
use crate::document::{Invocation, read_text};
use crate::scope::Outputs;

/// Maximum size of a document in bytes.
const SIZE: u64 = 1 << 20;
/// Maximum number of documents that run one another, including the first (user guide, `ExecuteDocument`).
const DEPTH: usize = 4;

/// Reads a document from the machine, from S3 or from Image Builder, and runs it.
pub(super) async fn run_document(
    attempt: &Attempt<'_>,
    inputs: Inputs<'_>,
    outputs: &mut Outputs,
    output: &mut dyn OutputSink,
) -> Result<()> {
    let place = inputs.need("document")?;
    let callers: Vec<String> =
        attempt.invocation.callers.iter().cloned().chain([attempt.invocation.name.to_owned()]).collect();
    if callers.len() >= DEPTH {
        return Err(Error::build(format!("`{place}` would be nested more than {DEPTH} documents deep")));
    }
    let stored = if place.starts_with("arn:") { Some(component(attempt, place).await?) } else { None };
    // A version or a pattern resolves to a build.
    let place = stored.as_ref().map_or(place, |stored| stored.arn.as_str());
    if callers.iter().any(|name| name == place) {
        return Err(Error::build(format!("the document `{place}` would run itself"))
            .help(format!("Called by: {}.", callers.join(", "))));
    }
    let text = match &stored {
        Some(stored) => stored.text.clone(),
        None => fetch(attempt, place, inputs.text("document-s3-bucket-owner")).await?,
    };
    let document = read_text(place, &text).map_err(|error| {
        let help = error.help_text().unwrap_or("Correct the document.").to_owned();
        Error::build(error.message().to_owned()).help(help)
    })?;
    let phases: Vec<&str> = inputs
        .text("phases")
        .map(|all| all.split(',').map(str::trim).filter(|name| !name.is_empty()).collect())
        .unwrap_or_default();
    if let Some(missing) = phases.iter().find(|name| document.phase(name).is_none()) {
        return Err(Error::build(format!("the document `{place}` has no phase `{missing}`")));
    }
    let parameters = inputs.pairs("parameters");
    let invocation = Invocation {
        document: &document,
        name: place,
        parameters: &parameters,
        phases: (!phases.is_empty()).then_some(phases.as_slice()),
        callers: &callers,
    };
    let ended = attempt.documents.run(attempt.machine, &invocation, attempt.outer, output).await;
    let (summary, failure) = match &ended {
        Ok(summary) => (*summary, String::new()),
        Err(error) => (Summary { failed: 1, ..Summary::default() }, error.message().to_owned()),
    };
    let values = json!({
        "executedStepCount": summary.passed + summary.ignored + summary.failed,
        "executionId": attempt.machine.run.id(),
        "failedStepCount": summary.failed,
        "failureMessage": failure,
        "ignoredFailedStepCount": summary.ignored,
        "logUrl": "",
        "status": if ended.is_ok() { "success" } else { "failed" },
    });
    for (name, value) in values.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        outputs.insert(name.clone(), text);
    }
    ended.map(|_| ())
}

/// Reads a document in Image Builder, and reports the build that a version or a pattern resolved to.
async fn component(attempt: &Attempt<'_>, arn: &str) -> Result<StoredDocument> {
    let machine = attempt.machine;
    let stored = machine.run.until_cancelled(machine.services()?.component(machine.run, arn)).await??;
    if stored.arn != arn {
        machine.run.progress(format!("Resolved {arn} to {}", stored.arn));
    }
    Ok(stored)
}

async fn fetch(attempt: &Attempt<'_>, place: &str, owner: Option<&str>) -> Result<String> {
    let machine = attempt.machine;
    let bytes = if place.starts_with("s3://") {
        let at = ObjectPath { owner: owner.map(str::to_owned), ..ObjectPath::parse(place)? };
        let object = machine.run.until_cancelled(machine.services()?.object(machine.run, &at)).await??;
        if object.size > SIZE {
            return Err(Error::build(format!("`{place}` is larger than 1 MiB, the limit for a component document")));
        }
        let mut bytes = Vec::new();
        let failed = |error| Error::build(format!("could not read {at}")).because(error);
        object.content.take(SIZE).read_to_end(&mut bytes).await.map_err(failed)?;
        bytes
    } else {
        let script = format!("[ -f {0} ] || {{ echo 'no such file' >&2; exit 1; }}; head -c {SIZE} {0}", quote(place));
        machine.sh(&script, attempt.outer).await?.passed().map_err(|error| {
            Error::build(format!("could not read the document `{place}` on the machine: {}", error.message()))
                .help("An earlier step has to create it.")
        })?
    };
    String::from_utf8(bytes).map_err(|_| Error::build(format!("the document `{place}` is not UTF-8")))
}
