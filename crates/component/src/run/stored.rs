//! Documents that Image Builder keeps are read and judged before a machine starts, as far as their ARNs are known then.

use ami_bake_core::plan::{ComponentStep, OnFailure, Step as ManifestStep, StepAction};
use ami_bake_core::services::Services;
use ami_bake_core::{Error, ErrorKind, Result, Run, SourceLocation};
use ami_bake_manifest::tree::Node;

use super::Use;
use super::components::{read, read_text};
use crate::document::{Document, Step};
use crate::grants::filled;
use crate::module::Action;

/// Deeper than documents may run each other.
const DEPTH: usize = 4;

/// Reads what the documents of these steps are sure to run from Image Builder.
///
/// # Errors
/// When a document is not to be had, or can't run here.
pub(super) async fn judge(run: &Run, services: &dyn Services, steps: &[&ManifestStep]) -> Result<()> {
    for step in steps {
        let StepAction::Component(ComponentStep { path, parameters, phases }) = &step.action else { continue };
        // What is wrong with the file itself is told where it runs.
        let Ok(document) = read(path) else { continue };
        let phases: Vec<&str> = phases.iter().map(|phase| phase.as_str()).collect();
        let name = path.display().to_string();
        let name = name.strip_prefix("./").unwrap_or(&name);
        let wanted = Use { document: &document, name, parameters, phases: Some(&phases), above: &[] };
        if step.on_failure == OnFailure::Abort {
            Box::pin(of_document(run, services, &wanted))
                .await
                .map_err(|error| error.at(step.route.key("component")))?;
        }
    }
    Ok(())
}

/// A call of a document by its ARN.
struct Call<'a> {
    step: &'a Step,
    arn: String,
    phases: Vec<String>,
    parameters: Vec<(String, String)>,
}

async fn of_document(run: &Run, services: &dyn Services, wanted: &Use<'_>) -> Result<()> {
    let above: Vec<String> = wanted.above.iter().cloned().chain([wanted.name.to_owned()]).collect();
    for call in calls(wanted) {
        let tell = |error: Error| told(wanted, call.step, &error);
        let stored = services.component(run, &call.arn).await.map_err(tell)?;
        let document = read_text(&stored.arn, &stored.text).map_err(tell)?;
        let phases: Vec<&str> = call.phases.iter().map(String::as_str).collect();
        runs(&document, &stored.arn, &phases).map_err(tell)?;
        // What would run itself, or is too deep, is told where it runs.
        if above.len() < DEPTH && !above.contains(&stored.arn) {
            let inner = Use {
                document: &document,
                name: &stored.arn,
                parameters: &call.parameters,
                phases: (!phases.is_empty()).then_some(phases.as_slice()),
                above: &above,
            };
            Box::pin(of_document(run, services, &inner)).await.map_err(tell)?;
        }
    }
    Ok(())
}

/// The steps that are sure to run such a document, and whose failure would end the bake.
fn calls<'a>(wanted: &Use<'a>) -> Vec<Call<'a>> {
    let variables = wanted.variables();
    let known = |inner: &str| variables.get(inner).cloned();
    let text = |node: Option<&Node>| node.and_then(Node::scalar).map(|scalar| filled(&scalar.text, &known));
    let sections = wanted.document.phases.iter();
    let sections =
        sections.filter(|section| wanted.phases.is_none_or(|phases| phases.contains(&section.name.as_str())));
    let sure = |step: &&Step| {
        step.module.action == Action::ExecuteDocument && step.gate.is_none() && step.on_failure == OnFailure::Abort
    };
    let call = |step: &'a Step| {
        let inputs = step.inputs.as_ref()?;
        let arn = text(inputs.get("document")).filter(|arn| arn.starts_with("arn:") && !arn.contains('*'))?;
        let phases = text(inputs.get("phases")).unwrap_or_default();
        let phases = phases.split(',').map(str::trim).filter(|name| !name.is_empty() && !name.contains('*'));
        let pair = |item: &Node| Some((text(item.get("name"))?, text(item.get("value"))?));
        let parameters = inputs.get("parameters").map(Node::items).unwrap_or_default().iter().filter_map(pair);
        Some(Call { step, arn, phases: phases.map(str::to_owned).collect(), parameters: parameters.collect() })
    };
    sections.flat_map(|section| &section.steps).filter(sure).filter_map(call).collect()
}

/// Whether the document has these phases, and nothing in them that needs another system.
fn runs(document: &Document, name: &str, phases: &[&str]) -> Result<()> {
    if let Some(missing) = phases.iter().find(|phase| document.phase(phase).is_none()) {
        return Err(Error::preflight(format!("the document `{name}` has no phase `{missing}`")));
    }
    let wanted = document.phases.iter().filter(|section| phases.is_empty() || phases.contains(&section.name.as_str()));
    match wanted.flat_map(|section| &section.steps).find(|step| step.module.action == Action::Windows) {
        Some(step) => Err(Error::preflight(format!(
            "{name}:{}: the step `{}` needs Windows: `{}` does not run on Linux",
            step.line, step.name, step.module.name
        ))),
        None => Ok(()),
    }
}

/// An error with the step that names the document.
fn told(wanted: &Use<'_>, step: &Step, error: &Error) -> Error {
    if error.kind() == ErrorKind::Cancelled {
        return error.clone();
    }
    let message =
        format!("{}:{}: the step `{}` ({}): {}", wanted.name, step.line, step.name, step.module.name, error.message());
    let told =
        Error::preflight(message).help(error.help_text().unwrap_or("Correct the document.")).because(error.clone());
    // A document of Image Builder is no file of the reader's.
    if wanted.above.is_empty() {
        told.in_file(SourceLocation { file: wanted.name.to_owned(), line: step.line })
    } else {
        told
    }
}
