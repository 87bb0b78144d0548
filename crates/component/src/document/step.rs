//! Parses a step.

use std::time::Duration;

use ami_bake_core::plan::OnFailure;
use ami_bake_manifest::diagnostic::{Diagnostic, Sources};
use ami_bake_manifest::tree::{Kind, Meaning, Node};
use ami_bake_manifest::words;

use super::values::{flag, keys, name, text, wrong};
use super::{Branch, Gate, Step, condition, loops};
use crate::module::{Action, MODULES, Module, Shape, module};

/// Keys of a step.
const KEYS: [&str; 9] =
    ["name", "action", "timeoutSeconds", "maxAttempts", "onFailure", "inputs", "loop", "if", "disableLogging"];
/// Default time limit of an attempt.
const TIMEOUT: Duration = Duration::from_hours(2);

/// Parses a step; `None` when it is unusable.
pub(super) fn read(node: &Node, sources: &Sources, findings: &mut Vec<Diagnostic>) -> Option<Step> {
    if !matches!(node.kind, Kind::Map(_)) {
        findings.push(wrong(node.span, format!("a step has to be a map, not {}", node.describe())));
        return None;
    }
    keys(node, &KEYS, "a step", findings);
    let place = node.entries().first().map_or(node.span, |entry| entry.key_span);
    let Some((name, span)) = node.get("name").and_then(|node| Some((name(node)?.to_owned(), node.span))) else {
        findings.push(Diagnostic::error("missing-key", place, "the step has no `name`"));
        return None;
    };
    let Some((action, action_span)) = node.get("action").and_then(|node| Some((self::name(node)?, node.span))) else {
        findings.push(Diagnostic::error("missing-key", span, format!("the step `{name}` has no `action`")));
        return None;
    };
    let Some(module) = module(action) else {
        let finding = Diagnostic::error("unknown-action", action_span, format!("unknown action module `{action}`"));
        let names = MODULES.iter().map(|module| module.name);
        findings.push(match words::near(action, names) {
            Some(near) => finding.help(format!("Did you mean `{near}`?")),
            None => finding.help("The modules are those of AWSTOE: `ExecuteBash`, `CreateFile`, `S3Download` …"),
        });
        return None;
    };
    let inputs = node.get("inputs").filter(|inputs| !inputs.is_null()).cloned();
    let assertion = match (&inputs, module.shape) {
        (Some(inputs), Shape::Condition) => condition::read(inputs, &[], findings),
        _ => None,
    };
    let (attempts, timeout) = limits(node, module, findings);
    Some(Step {
        line: sources.position(span.file, span.start).line,
        name,
        span,
        module,
        action_span,
        inputs,
        assertion,
        on_failure: on_failure(node, findings),
        attempts,
        timeout,
        repeat: node.get("loop").and_then(|node| loops::read(node, findings)),
        gate: node.get("if").and_then(|node| gate(node, findings)),
        quiet: node.get("disableLogging").is_some_and(|node| quiet(node, findings)),
    })
}

/// Parses `disableLogging`; an invalid value hides the output.
fn quiet(node: &Node, findings: &mut Vec<Diagnostic>) -> bool {
    text(node).and_then(flag).unwrap_or_else(|| {
        findings.push(wrong(node.span, "`disableLogging` has to be `true` or `false`".to_owned()));
        true
    })
}

fn on_failure(node: &Node, findings: &mut Vec<Diagnostic>) -> OnFailure {
    let Some(given) = node.get("onFailure") else { return OnFailure::Abort };
    match text(given) {
        Some("Abort") => OnFailure::Abort,
        Some("Continue") => OnFailure::Continue,
        Some("Ignore") => OnFailure::Ignore,
        _ => {
            findings.push(wrong(given.span, "`onFailure` has to be `Abort`, `Continue` or `Ignore`".to_owned()));
            OnFailure::Abort
        }
    }
}

/// Parses the number of attempts and the time limit of one.
fn limits(node: &Node, module: &Module, findings: &mut Vec<Diagnostic>) -> (u32, Option<Duration>) {
    let mut number = |key: &str| -> Option<i64> {
        let given = node.get(key)?;
        let whole = match given.scalar().map(|scalar| (scalar.meaning, scalar.text.parse::<i64>())) {
            Some((Meaning::Integer(_) | Meaning::Text, Ok(number))) => Some(number),
            _ => None,
        };
        let least = if key == "timeoutSeconds" { -1 } else { 1 };
        let good = whole.filter(|number| *number >= least && (*number != 0 || least > 0));
        if good.is_none() {
            let finding = wrong(given.span, format!("`{key}` has to be a whole number of at least 1"));
            let help = "`-1` means no limit.";
            findings.push(if least < 0 { finding.help(help) } else { finding });
        }
        good
    };
    let (timeout, attempts) = (number("timeoutSeconds"), number("maxAttempts"));
    let fixed = module.action == Action::ExecuteDocument;
    for (key, given, only) in [("timeoutSeconds", timeout, -1), ("maxAttempts", attempts, 1)] {
        if fixed && given.is_some_and(|given| given != only) {
            let span = node.entry(key).map_or(node.span, |entry| entry.key_span);
            findings.push(
                wrong(
                    span,
                    format!("`ExecuteDocument` supports neither a timeout nor retries: `{key}` can only be {only}"),
                )
                .help("Set limits on the steps of the document that it runs."),
            );
        }
    }
    let limit = match timeout {
        _ if fixed => None,
        Some(-1) => None,
        Some(seconds) => Some(Duration::from_secs(seconds.unsigned_abs())),
        None => Some(TIMEOUT),
    };
    (attempts.map_or(1, |attempts| u32::try_from(attempts).unwrap_or(u32::MAX)), limit)
}

/// Parses `if`: one operator with `then` and `else` beside it. The syntax in the user guide shows a list, its examples
/// a map.
fn gate(node: &Node, findings: &mut Vec<Diagnostic>) -> Option<Gate> {
    let node = match node.items() {
        [only] => only,
        _ => node,
    };
    let mut verdict = |key: &str, without: Branch| match node.get(key).map(|node| (text(node), node.span)) {
        None => without,
        Some((Some("Abort"), _)) => Branch::Abort,
        Some((Some("Execute"), _)) => Branch::Execute,
        Some((Some("Skip"), _)) => Branch::Skip,
        Some((_, span)) => {
            findings.push(wrong(span, format!("`{key}` has to be `Abort`, `Execute` or `Skip`")));
            without
        }
    };
    let (then, otherwise) = (verdict("then", Branch::Execute), verdict("else", Branch::Skip));
    Some(Gate { test: condition::read(node, &["then", "else"], findings)?, then, otherwise })
}
