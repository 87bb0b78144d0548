//! Finds steps that can't run here: because of the operating system, or without a cloud.

use ami_bake_manifest::Document as Given;
use ami_bake_manifest::diagnostic::Diagnostic;
use ami_bake_manifest::tree::Node;
use ami_bake_steps::http::{HttpError, TLS};

use super::arn;
use super::usage::used;
use crate::document::{Document, Step, each_text};
use crate::module::Action;
use crate::reference::{Reference, parse, references};

/// Reports modules for Windows, and modules that need services which the platform does not have.
pub(super) fn validate(document: &Document, given: &Given<'_>, findings: &mut Vec<Diagnostic>) {
    let phases: Vec<&str> = document.phases.iter().map(|phase| phase.name.as_str()).collect();
    for step in used(document, given.used).flat_map(|phase| &phase.steps) {
        if step.module.action == Action::Windows {
            findings.push(
                Diagnostic::error(
                    "not-on-linux",
                    step.action_span,
                    format!("the step `{}` needs Windows: `{}` does not run on Linux", step.name, step.module.name),
                )
                .help("Keep the component for Windows images in Image Builder, or write the step with `ExecuteBash`."),
            );
        }
        if !TLS && step.module.action == Action::WebDownload {
            encrypted(step, findings);
        }
        let document = step.inputs.as_ref().filter(|_| step.module.action == Action::ExecuteDocument);
        let document = document.and_then(|inputs| inputs.get("document"));
        let document = document.and_then(|node| Some((node.as_text()?, node.span)));
        if let Some((arn, span)) = document.filter(|(name, _)| name.starts_with("arn:")) {
            findings.extend(arn::validate(arn, span));
        }
        let Some(known) = given.capabilities.filter(|known| !known.services) else { continue };
        if let Some((_, span)) = document.filter(|(name, _)| name.starts_with("arn:")) {
            let message = format!(
                "the step `{}` needs Image Builder: `{}` has no credentials on the platform `{platform}`",
                step.name,
                step.module.name,
                platform = known.platform
            );
            findings.push(Diagnostic::error("not-on-platform", span, message).help(
                "Bake on `aws`, give the manifest's step `platforms: [aws]`, or save the document with \
                 `aws imagebuilder get-component` and name it as a file on the machine.",
            ));
        }
        if step.module.needs_services() || document.is_some_and(|(name, _)| name.starts_with("s3://")) {
            let platform = known.platform;
            let message = format!(
                "the step `{}` needs S3: `{}` has no credentials on the platform `{platform}`",
                step.name, step.module.name
            );
            findings.push(
                Diagnostic::error("not-on-platform", step.action_span, message)
                    .help("Bake on `aws`, or give the manifest's step `platforms: [aws]`."),
            );
        }
        for (text, span) in texts(step) {
            for (_, inner) in references(&text) {
                let needs = matches!(
                    parse(inner, &phases),
                    Reference::Parameter(_) | Reference::ParameterOf(_) | Reference::Metadata(_)
                );
                if needs {
                    let message = format!("`{{{{ {inner} }}}}` is not supported on the platform `{}`", known.platform);
                    findings.push(
                        Diagnostic::error("not-on-platform", span, message)
                            .help("Bake on `aws`, or pass the value as a parameter of the document."),
                    );
                }
            }
        }
    }
}

/// Reports downloads over https in a build without TLS.
fn encrypted(step: &Step, findings: &mut Vec<Diagnostic>) {
    let sources = step.inputs.iter().flat_map(Node::items).filter_map(|input| input.get("source"));
    for source in sources.filter(|source| source.as_text().is_some_and(|text| text.starts_with("https://"))) {
        let message = format!("the step `{}` downloads by https: {}", step.name, HttpError::NoTls);
        let finding = Diagnostic::error("not-built-in", source.span, message);
        findings.push(finding.help(HttpError::NoTls.help_text().unwrap_or_default()));
    }
}

/// All texts of a step that may contain references.
pub(super) fn texts(step: &Step) -> Vec<(String, ami_bake_manifest::diagnostic::Span)> {
    let mut all = Vec::new();
    each_text(step, &mut |text, span| all.push((text.to_owned(), span)));
    all
}
