//! Finds scripts in which a failing command goes unnoticed: AWSTOE does not add `errexit`.

use ami_bake_manifest::Document as Given;
use ami_bake_manifest::diagnostic::Diagnostic;
use ami_bake_manifest::tree::Node;

use super::usage::used;
use crate::document::{Document, Step};
use crate::module::Action;

/// Adds one warning for the document, at the first such step.
pub(super) fn validate(document: &Document, given: &Given<'_>, findings: &mut Vec<Diagnostic>) {
    let lax: Vec<&Step> =
        used(document, given.used).flat_map(|phase| &phase.steps).filter(|step| is_lax(step)).collect();
    let Some(first) = lax.first() else { return };
    let what = match lax.len() {
        1 => format!("the step `{}` continues", first.name),
        count => format!("{count} steps, first `{}`, continue", first.name),
    };
    let message = format!("{what} after a failed command: AWSTOE uses the exit status of the last command");
    findings.push(
        Diagnostic::warning("lax-script", first.span, message)
            .help("Start `commands` with `set -e` if every command has to succeed."),
    );
}

/// Whether a step has more than one command, but nothing that makes a failure of the first ones count.
fn is_lax(step: &Step) -> bool {
    if step.module.action != Action::ExecuteBash {
        return false;
    }
    let commands = step.inputs.as_ref().and_then(|inputs| inputs.get("commands")).map(Node::items).unwrap_or_default();
    let texts = commands.iter().filter_map(|command| command.scalar());
    let script = texts.map(|scalar| scalar.text.as_str()).collect::<Vec<_>>().join("\n");
    let lines = script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let strict = |line: &str| {
        let mut words = line.split_whitespace();
        words.next() == Some("set")
            && words.any(|word| {
                let flags = word.strip_prefix('-').unwrap_or_default().trim_end_matches(';');
                word.starts_with("errexit") || (!flags.starts_with('-') && flags.contains('e'))
            })
    };
    lines.clone().count() > 1 && !lines.into_iter().any(strict)
}
