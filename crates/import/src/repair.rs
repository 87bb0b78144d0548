//! The manifest's own check over what was made: a value that it refuses is not written, and told.

use std::path::PathBuf;

use ami_bake_core::{Route, Segment};
use ami_bake_manifest::diagnostic::Diagnostic;
use ami_bake_manifest::{Manifest, Options};

use crate::input::{Finding, Kind, Log};
use crate::output::Draft;
use crate::paths::Paths;
use crate::yaml::{Map, Value, at, origin, take, write};

/// Findings that say nothing of a value: stages that are not there yet, and files that are not there.
const OTHERS: [&str; 3] = ["not-supported-yet", "no-such-file", "wrong-file"];

/// Each round takes one value out; a manifest has not more that are wrong.
const ROUNDS: usize = 200;

/// Checks the draft and takes out what is refused. Answers the document.
pub(crate) fn repair(draft: &mut Draft, paths: &Paths, log: &Log) -> Map {
    let mut root = draft.root();
    for _ in 0..ROUNDS {
        let Some(finding) = wrong(&root, paths) else { break };
        if !mend(&mut root, &finding, log) {
            break;
        }
    }
    root
}

/// The first value that the check refuses. What is not supported yet hides what stands behind it, so that it is left out first.
fn wrong(root: &Map, paths: &Paths) -> Option<Diagnostic> {
    let mut trial = root.clone();
    for _ in 0..ROUNDS {
        let options = Options { check: true, ..Options::default() };
        let folder: PathBuf = paths.output.clone();
        let loaded = Manifest::load_text("bake.yml", &write(&trial), folder, &options);
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
        // From behind, so that the places before stay what they are.
        later.sort();
        for route in later.iter().rev() {
            leave(&mut trial, route);
        }
    }
    None
}

/// Takes a field out of the copy; a step goes as a whole.
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

/// Makes the value a variable that must be given, or takes it out. Answers whether anything changed.
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
    let said = |kind: Kind, origin: Option<(String, String)>, why: String, help: &str| {
        let (file, path) = origin.unwrap_or_else(|| (String::new(), finding.route.to_string()));
        log.say(Finding { kind, file, path, why, help: help.to_owned() });
    };
    // Packer's images of one name differ by the moment of each build; here they are baked at one.
    if finding.code == "same-name"
        && route.ends_with(&[Segment::Key("publish".to_owned()), Segment::Key("name".to_owned())])
        && let Some(text) = written.as_deref().filter(|text| !text.contains("${{ image }}"))
    {
        let name = format!("{text}-${{{{ image }}}}");
        let origin = origin(root, route);
        if let Some(value) = at(root, route) {
            *value = name.into();
        }
        let why = format!("{}: the image's own name was put behind it", finding.message);
        said(Kind::Changed, origin, why, "Give the images names of their own.");
        return true;
    }
    // A variable whose value does not fit must be given.
    if let Some(name) = written.as_deref().and_then(variable) {
        let null = Value::Raw("null".to_owned());
        let route = [Segment::Key("vars".to_owned()), Segment::Key(name.clone())];
        if let Some(value) = at(root, &route).filter(|value| **value != null) {
            *value = null;
            let origin = declared(root, &name);
            said(
                Kind::Changed,
                origin,
                format!("its value does not fit ({}), so it must be given", finding.message),
                &format!("Give it with `--set {name}=…`."),
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
            said(
                Kind::Changed,
                origin,
                format!("`{text}` is no value ({}): it is a variable that must be given", finding.message),
                &format!("Give it with `--set {name}=…`, or write it into the manifest."),
            );
            return true;
        }
    }
    if let Some(end) = route.iter().position(|segment| *segment == Segment::Key("source".to_owned()))
        && given(root, &route[..=end], finding, &said)
    {
        return true;
    }
    match take(root, route) {
        Some(origins) => {
            let why = format!("the manifest's check refuses it: {}", finding.message);
            let help = finding.help.as_deref().unwrap_or_default();
            if origins.is_empty() {
                said(Kind::Dropped, None, why.clone(), help);
            }
            for origin in origins {
                said(Kind::Dropped, Some(origin), why.clone(), help);
            }
            prune(root);
            true
        }
        // The place above is the next best.
        None if route.len() > 3 => {
            let above = Diagnostic { route: finding.route.parent(), ..finding.clone() };
            mend(root, &above, log)
        }
        None => false,
    }
}

/// What is told of a value: what became of it, where it stood, why, and what to do.
type Said<'a> = dyn Fn(Kind, Option<(String, String)>, String, &str) + 'a;

/// An image without a source is none: it becomes a variable that must be given.
fn given(root: &mut Map, route: &[Segment], finding: &Diagnostic, said: &Said) -> bool {
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
    said(
        Kind::Changed,
        origin,
        format!(
            "the image to start from can't be found by it ({}): it is a variable that must be given",
            finding.message
        ),
        &format!("Give it with `--set {name}=…`, or write it into the manifest."),
    );
    true
}

/// The variable that a text is made of.
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
fn declared(root: &Map, name: &str) -> Option<(String, String)> {
    let Some(Value::Map(vars)) = root.get("vars") else { return None };
    vars.0.iter().find(|entry| entry.key == name)?.origin.clone()
}

/// `vars` stands behind `platform`.
fn ordered(root: &mut Map) {
    let place = |key: &str| {
        ["format", "name", "version", "platform", "vars", "secrets"]
            .iter()
            .position(|known| *known == key)
            .unwrap_or(usize::MAX)
    };
    root.0.sort_by_key(|entry| place(&entry.key));
}

/// Maps that became empty say nothing, but images.
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
