//! Runs the manifest's own check on the draft; values that it refuses are removed and reported.

use std::path::PathBuf;

use ami_bake_core::{Route, Segment};
use ami_bake_manifest::budget::Budget;
use ami_bake_manifest::diagnostic::Diagnostic;
use ami_bake_manifest::{Manifest, Options};

use crate::input::{Finding, FindingKind, Location, Log};
use crate::output::Draft;
use crate::paths::Paths;
use crate::yaml::{Map, Value, at, origin, take, write};

/// Codes of findings that are not about a value: unsupported stages, files that are missing or may not be read, and
/// playbooks.
const OTHERS: [&str; 5] = ["not-supported-yet", "no-such-file", "wrong-file", "local-play", "file-not-allowed"];

/// Maximum bytes of manifest text to check in total.
const CHECKED: usize = 8 << 20;

/// Maximum number of rounds; each removes one value.
const ROUNDS: usize = 200;

/// Checks the draft and removes refused values. Returns the document.
pub(crate) fn repair(draft: &mut Draft, paths: &Paths, log: &Log) -> Map {
    let mut root = draft.root();
    let budget = Budget::new(CHECKED, 1);
    for _ in 0..ROUNDS {
        let Some(finding) = wrong(&root, paths, &budget) else { break };
        if !mend(&mut root, &finding, log) {
            break;
        }
    }
    root
}

/// The first value that the check refuses. Fields that are not supported yet hide errors after them, so they are
/// removed from a copy first.
fn wrong(root: &Map, paths: &Paths, budget: &Budget) -> Option<Diagnostic> {
    let mut trial = root.clone();
    for _ in 0..ROUNDS {
        let options = Options { check: true, ..Options::default() };
        let folder: PathBuf = paths.output.clone();
        let text = write(&trial);
        // Beyond the budget, errors are reported by the check that follows the import.
        budget.spend(text.len()).ok()?;
        let loaded = Manifest::load_text("bake.yml", &text, folder, &options);
        let mut later: Vec<Route> = Vec::new();
        for finding in loaded.findings {
            if finding.is_error() && !OTHERS.contains(&finding.code) {
                return Some(finding);
            }
            if finding.code == "not-supported-yet" {
                later.push(finding.route);
            }
        }
        if later.is_empty() || later.iter().any(|route| route.0.first() == Some(&Segment::Key("platform".to_owned()))) {
            return None;
        }
        // In reverse, so that the earlier routes stay valid.
        later.sort();
        for route in later.iter().rev() {
            leave(&mut trial, route);
        }
    }
    None
}

/// Removes a field from the copy; for a step's field the whole step.
fn leave(trial: &mut Map, route: &Route) {
    let step = route.0.iter().position(|segment| matches!(segment, Segment::Index(_)));
    let whole = match step {
        Some(index) if matches!(&route.0[index - 1], Segment::Key(key) if matches!(key.as_str(), "build" | "validate" | "test")) => {
            &route.0[..=index]
        }
        _ => &route.0[..],
    };
    take(trial, whole);
}

/// Turns the value into a variable that must be set, or removes it. Returns whether anything changed.
fn mend(root: &mut Map, finding: &Diagnostic, log: &Log) -> bool {
    let route = &finding.route.0;
    if route.is_empty() {
        return false;
    }
    let essential = matches!(route.first(), Some(Segment::Key(key)) if key == "aws")
        || route.iter().any(|segment| *segment == Segment::Key("source".to_owned()));
    let written = match at(root, route) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let report = |kind: FindingKind, origin: Option<Location>, why: String, help: &str| {
        let (file, path) = match origin {
            Some(origin) => (origin.file.to_string(), origin.path),
            None => (String::new(), finding.route.to_string()),
        };
        log.add(Finding { kind, file, path, why, help: help.to_owned() });
    };
    // Packer builds images of one name at different times; all images of a manifest have one timestamp.
    if finding.code == "same-name"
        && route.ends_with(&[Segment::Key("publish".to_owned()), Segment::Key("name".to_owned())])
        && let Some(text) = written.as_deref().filter(|text| !text.contains("${{ image }}"))
    {
        let name = format!("{text}-${{{{ image }}}}");
        let origin = origin(root, route);
        if let Some(value) = at(root, route) {
            *value = name.into();
        }
        let why = format!("{}: the name of the image was appended", finding.message);
        report(FindingKind::Changed, origin, why, "Give the images different names.");
        return true;
    }
    // A variable whose value is invalid must be set.
    if let Some(name) = written.as_deref().and_then(variable) {
        let null = Value::Raw("null".to_owned());
        let route = [Segment::Key("vars".to_owned()), Segment::Key(name.clone())];
        if let Some(value) = at(root, &route).filter(|value| **value != null) {
            *value = null;
            let origin = declared(root, &name);
            report(
                FindingKind::Changed,
                origin,
                format!("its value is not valid ({}) and must be set", finding.message),
                &format!("Set it with `--set {name}=…`."),
            );
            return true;
        }
    }
    let last = match route.last() {
        Some(Segment::Key(key)) => key.clone(),
        _ => "value".to_owned(),
    };
    if essential && let Some(text) = written.filter(|text| !text.contains("${{")) {
        let name = unused(root, &last);
        if let Some(value) = at(root, route) {
            *value = format!("${{{{ vars.{name} }}}}").into();
            root.within("vars", |vars| vars.set(name.as_str(), Value::Raw("null".to_owned())));
            ordered(root);
            let origin = origin(root, route);
            report(
                FindingKind::Changed,
                origin,
                format!("`{text}` is not valid ({}); replaced with a variable that must be set", finding.message),
                &format!("Set it with `--set {name}=…`, or write it into the manifest."),
            );
            return true;
        }
    }
    if let Some(end) = route.iter().position(|segment| *segment == Segment::Key("source".to_owned()))
        && required_source(root, &route[..=end], finding, &report)
    {
        return true;
    }
    match take(root, route) {
        Some(origins) => {
            let why = format!("not valid in a manifest: {}", finding.message);
            let help = finding.help.as_deref().unwrap_or_default();
            if origins.is_empty() {
                report(FindingKind::Dropped, None, why.clone(), help);
            }
            for origin in origins {
                report(FindingKind::Dropped, Some(origin), why.clone(), help);
            }
            prune(root);
            true
        }
        // A value that can't be removed alone is removed with the value that contains it.
        None if route.len() > 3 => {
            let above = Diagnostic { route: finding.route.parent(), ..finding.clone() };
            mend(root, &above, log)
        }
        None => false,
    }
}

/// Reports what happened to a value: where it was written, why, and what to do.
type Report<'a> = dyn Fn(FindingKind, Option<Location>, String, &str) + 'a;

/// An image needs a source: an invalid one becomes a variable that must be set.
fn required_source(root: &mut Map, route: &[Segment], finding: &Diagnostic, report: &Report) -> bool {
    let Some(Value::Map(source)) = at(root, route) else { return false };
    if source.0.len() > 1 || !matches!(source.get("ami"), Some(Value::Map(_))) {
        return false;
    }
    let name = unused(root, "source-ami");
    let origin = origin(root, &finding.route.0);
    let Some(source) = at(root, route) else { return false };
    let mut ami = Map::default();
    ami.set("id", format!("${{{{ vars.{name} }}}}"));
    let mut map = Map::default();
    map.set("ami", ami);
    *source = map.into();
    root.within("vars", |vars| vars.set(name.as_str(), Value::Raw("null".to_owned())));
    ordered(root);
    report(
        FindingKind::Changed,
        origin,
        format!("it does not identify a source image ({}); replaced with a variable that must be set", finding.message),
        &format!("Set it with `--set {name}=…`, or write it into the manifest."),
    );
    true
}

/// The first variable that a text refers to.
fn variable(text: &str) -> Option<String> {
    let start = text.find("vars.")? + 5;
    let tail = &text[start..];
    let end = tail.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-')).unwrap_or(tail.len());
    (end > 0).then(|| tail[..end].to_owned())
}

fn unused(root: &Map, key: &str) -> String {
    let mut name = key.to_owned();
    while matches!(root.get("vars"), Some(Value::Map(vars)) if vars.get(&name).is_some()) {
        name.push('_');
    }
    name
}

/// Where a variable was declared.
fn declared(root: &Map, name: &str) -> Option<Location> {
    let Some(Value::Map(vars)) = root.get("vars") else { return None };
    vars.0.iter().find(|entry| entry.key == name)?.origin.clone()
}

/// Sorts the top level: `vars` comes after `platform`.
fn ordered(root: &mut Map) {
    let place = |key: &str| {
        ["format", "name", "version", "platform", "vars", "secrets"]
            .iter()
            .position(|known| *known == key)
            .unwrap_or(usize::MAX)
    };
    root.0.sort_by_key(|entry| place(&entry.key));
}

/// Removes maps that became empty, except images.
fn prune(root: &mut Map) {
    let Some(Value::Map(images)) = root.0.iter_mut().find(|entry| entry.key == "images").map(|entry| &mut entry.value)
    else {
        return;
    };
    for image in &mut images.0 {
        if let Value::Map(map) = &mut image.value {
            empty(map);
        }
    }
}

fn empty(map: &mut Map) {
    for entry in &mut map.0 {
        if let Value::Map(inner) = &mut entry.value {
            empty(inner);
        }
    }
    map.0.retain(|entry| match &entry.value {
        Value::Map(inner) => !inner.is_empty(),
        Value::List(items) => !items.is_empty(),
        _ => true,
    });
}
