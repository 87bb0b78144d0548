//! Reads and validates documents in Image Builder before a machine starts, if their ARNs are known by then.
use ami_bake_core::plan::{ComponentStep, OnFailure, Step as ManifestStep, StepAction};
use ami_bake_core::services::Services;
use ami_bake_core::{Error, ErrorKind, Result, Run, SourceLocation};
use ami_bake_manifest::tree::Node;

use crate::document::{Document, Invocation, Step, read, read_text};
use crate::module::Action;
use crate::reference::fill_known;

/// Maximum depth of documents that run each other.
const DEPTH: usize = 4;

/// Reads the documents in Image Builder that the documents of these steps will certainly run.
///
/// # Errors
/// When a document can't be read, or can't run here.
pub(crate) async fn preflight(run: &Run, services: &dyn Services, steps: &[&ManifestStep]) -> Result<()> {
    for step in steps {
        let StepAction::Component(ComponentStep { path, parameters, phases }) = &step.action else { continue };
        // Problems in the file itself are reported when it runs.
        let Ok(document) = read(path, &step.inputs) else { continue };
        let phases: Vec<&str> = phases.iter().map(|phase| phase.as_str()).collect();
        let name = path.display().to_string();
        let name = name.strip_prefix("./").unwrap_or(&name);
        let invocation = Invocation { document: &document, name, parameters, phases: Some(&phases), callers: &[] };
        if step.on_failure == OnFailure::Abort {
            Box::pin(of_document(run, services, &invocation))
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

async fn of_document(run: &Run, services: &dyn Services, invocation: &Invocation<'_>) -> Result<()> {
    let callers: Vec<String> = invocation.callers.iter().cloned().chain([invocation.name.to_owned()]).collect();
    for call in calls(invocation) {
        let locate = |error: Error| located(invocation, call.step, &error);
        let stored = services.component(run, &call.arn).await.map_err(locate)?;
        let document = read_text(&stored.arn, &stored.text).map_err(locate)?;
        let phases: Vec<&str> = call.phases.iter().map(String::as_str).collect();
        runs(&document, &stored.arn, &phases).map_err(locate)?;
        // Recursion and depth are checked when it runs.
        if callers.len() < DEPTH && !callers.contains(&stored.arn) {
            let inner = Invocation {
                document: &document,
                name: &stored.arn,
                parameters: &call.parameters,
                phases: (!phases.is_empty()).then_some(phases.as_slice()),
                callers: &callers,
            };
            Box::pin(of_document(run, services, &inner)).await.map_err(locate)?;
        }
    }
    Ok(())
}

/// The calls of such documents that will certainly run, and whose failure would end the bake.
fn calls<'a>(invocation: &Invocation<'a>) -> Vec<Call<'a>> {
    let variables = invocation.variables();
    let known = |inner: &str| variables.get(inner).cloned();
    let text = |node: Option<&Node>| node.and_then(Node::scalar).map(|scalar| fill_known(&scalar.text, &known));
    let sections = invocation.document.phases.iter();
    let sections =
        sections.filter(|section| invocation.phases.is_none_or(|phases| phases.contains(&section.name.as_str())));
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

/// Checks that the document has these phases, and that nothing in them needs another operating system.
fn runs(document: &Document, name: &str, phases: &[&str]) -> Result<()> {
    if let Some(missing) = phases.iter().find(|phase| document.phase(phase).is_none()) {
        return Err(Error::preflight(format!("the document `{name}` has no phase `{missing}`")));
    }
    let invocation =
        document.phases.iter().filter(|section| phases.is_empty() || phases.contains(&section.name.as_str()));
    match invocation.flat_map(|section| &section.steps).find(|step| step.module.action == Action::Windows) {
        Some(step) => Err(Error::preflight(format!(
            "{name}:{}: the step `{}` needs Windows: `{}` does not run on Linux",
            step.line, step.name, step.module.name
        ))),
        None => Ok(()),
    }
}

/// An error with the step that calls the document.
fn located(invocation: &Invocation<'_>, step: &Step, error: &Error) -> Error {
    if error.kind() == ErrorKind::Cancelled {
        return error.clone();
    }
    let message = format!(
        "{}:{}: the step `{}` ({}): {}",
        invocation.name,
        step.line,
        step.name,
        step.module.name,
        error.message()
    );
    let located =
        Error::preflight(message).help(error.help_text().unwrap_or("Correct the document.")).because(error.clone());
    // A document in Image Builder is not a file of the user.
    if invocation.callers.is_empty() {
        located.in_file(SourceLocation { file: invocation.name.to_owned(), line: step.line })
    } else {
        located
    }
}
