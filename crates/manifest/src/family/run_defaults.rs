//! Applies `run` of an image to its steps that do not have these settings.

use crate::tree::{Entry, Kind, Node};

/// The settings, with the step types that they apply to. A script file has an interpreter of its own.
const SETTINGS: [(&str, &[&str]); 3] =
    [("shell", &["run"]), ("as", &["run", "script"]), ("working-directory", &["run", "script"])];

/// Adds the settings to the steps of an image.
pub(super) fn apply(image: &mut Node) {
    let Some(defaults) = image.get("run").cloned() else { return };
    let Kind::Map(entries) = &mut image.kind else { return };
    for entry in entries.iter_mut().filter(|entry| matches!(entry.key.as_str(), "build" | "validate" | "test")) {
        let Kind::List(steps) = &mut entry.value.kind else { continue };
        for step in steps {
            complete(step, &defaults);
        }
    }
}

fn complete(step: &mut Node, defaults: &Node) {
    for (key, types) in SETTINGS {
        let applies = types.iter().any(|kind| step.get(kind).is_some()) && step.get(key).is_none();
        let setting = defaults.entries().iter().find(|entry| entry.key == key);
        if let (true, Some(setting), Kind::Map(entries)) = (applies, setting, &mut step.kind) {
            entries.push(Entry { key: key.to_owned(), ..setting.clone() });
        }
    }
}
