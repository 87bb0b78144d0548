//! Checks a step's use of a document: phases and parameters.

use ami_bake_core::Route;
use ami_bake_core::plan::Phase;
use ami_bake_manifest::Document as Given;
use ami_bake_manifest::diagnostic::Diagnostic;
use ami_bake_manifest::words;

use crate::document::{Document, Section};

/// The phases that a bake can run.
pub(super) const PHASES: [&str; 3] = ["build", "validate", "test"];

/// Reports unknown and unused phases, and parameters without a value.
pub(super) fn validate(document: &Document, given: &Given<'_>, findings: &mut Vec<Diagnostic>) {
    let name = given.sources.name(given.file);
    let at = |key: &str| given.step.place(&Route::root().key(key));
    let there: Vec<&str> = document.phases.iter().map(|phase| phase.name.as_str()).collect();
    for phase in given.phases {
        if document.phase(phase.as_str()).is_none() {
            let message = format!("{name} has no phase `{}`, so this step would do nothing", phase.as_str());
            findings.push(
                Diagnostic::error("no-such-phase", at("component"), message)
                    .help(format!("Available: {}. Choose with `phases`.", words::list(&there, "and"))),
            );
        }
    }
    for phase in &document.phases {
        let run = given.used.iter().any(|used| used.as_str() == phase.name);
        if PHASES.contains(&phase.name.as_str()) && !run {
            let message = format!("the phase `{}` of {name} is never run", phase.name);
            findings.push(
                Diagnostic::warning("unused-phase", at("component"), message).help(format!(
                    "Add `- component: {name}` to `{}` too: Image Builder would run it there.",
                    phase.name
                )),
            );
        }
    }
    for phase in &document.phases {
        if !PHASES.contains(&phase.name.as_str()) && phase.name != "container-host-test" {
            let message = format!("the phase `{}` is never run", phase.name);
            findings.push(
                Diagnostic::note("unused-phase", phase.span, message)
                    .help("Image Builder and a bake run only `build`, `validate` and `test`."),
            );
        }
    }
    parameters(document, given, findings);
}

fn parameters(document: &Document, given: &Given<'_>, findings: &mut Vec<Diagnostic>) {
    let name = given.sources.name(given.file);
    let declared = || document.variables.iter().filter(|variable| !variable.constant);
    for (parameter, value) in given.parameters {
        let span = given.step.place(&Route::root().key("with").key(parameter.as_str()));
        if let Some(variable) = declared().find(|variable| variable.name == *parameter) {
            if !variable.allowed.is_empty() && !variable.allowed.contains(value) {
                let message = format!("`{value}` is not an allowed value of `{parameter}` in {name}");
                let allowed: Vec<&str> = variable.allowed.iter().map(String::as_str).collect();
                findings.push(
                    Diagnostic::error("parameter-value", span, message)
                        .help(format!("Allowed: {}.", words::list(&allowed, "and"))),
                );
            }
            continue;
        }
        let finding = Diagnostic::error("unknown-parameter", span, format!("{name} has no parameter `{parameter}`"));
        let near = words::near(parameter, declared().map(|variable| variable.name.as_str()));
        findings.push(match near {
            Some(near) => finding.help(format!("Did you mean `{near}`?")),
            None if document.variable(parameter).is_some() => finding.help("It is a constant, whose value is fixed."),
            None => finding.help("Parameters are declared in the document, below `parameters`."),
        });
    }
    for variable in declared().filter(|variable| variable.value.is_none()) {
        if !given.parameters.iter().any(|(parameter, _)| *parameter == variable.name) {
            let span = given.step.place(&Route::root().key("component"));
            let message = format!("the parameter `{}` of {name} has no value", variable.name);
            findings.push(Diagnostic::error("missing-parameter", span, message).help(format!(
                "Set it: `with: {{{0}: …}}`, or `--with {0}=…` with `ami-bake component run`.",
                variable.name
            )));
        }
    }
}

/// The phases of the document that some step of the image runs.
pub(super) fn used<'a>(document: &'a Document, phases: &[Phase]) -> impl Iterator<Item = &'a Section> {
    document.phases.iter().filter(move |section| phases.iter().any(|phase| phase.as_str() == section.name))
}
