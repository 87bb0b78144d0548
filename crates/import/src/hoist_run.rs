//! Moves settings that most steps share to `defaults.run`.

use crate::yaml::{Entry, Map, Value};

/// Settings of steps, the step types that `defaults.run` applies to, and the step's default value.
const SETTINGS: [(&str, &[&str], &str); 3] = [
    ("shell", &["run"], "bash -euo pipefail"),
    ("as", &["run", "script"], "root"),
    ("working-directory", &["run", "script"], "/"),
];

/// Minimum number of steps; fewer are easier to read unchanged.
const STEPS: usize = 4;

/// Moves settings that most steps share to `defaults.run`; steps without them get the step's default value.
pub(crate) fn hoist_run(root: &mut Map) {
    let mut run = Map::default();
    for (key, types, default) in SETTINGS {
        let mut values: Vec<(Value, usize)> = Vec::new();
        let mut without = 0;
        each_step(root, &mut |step| {
            if !types.iter().any(|kind| step.get(kind).is_some()) {
                return;
            }
            match step.get(key) {
                None => without += 1,
                Some(value) => match values.iter_mut().find(|(known, _)| known == value) {
                    Some((_, count)) => *count += 1,
                    None => values.push((value.clone(), 1)),
                },
            }
        });
        let Some((value, count)) = values.into_iter().max_by_key(|(_, count)| *count) else { continue };
        if count < STEPS || count <= 2 * without {
            continue;
        }
        each_step(root, &mut |step| {
            if !types.iter().any(|kind| step.get(kind).is_some()) {
                return;
            }
            if step.get(key).is_none() {
                step.set(key, default);
            } else if step.get(key) == Some(&value) {
                step.0.retain(|entry| entry.key != key);
            }
        });
        run.set(key, value);
    }
    if run.is_empty() {
        return;
    }
    let entry = Entry { key: "run".to_owned(), value: run.into(), comment: Vec::new(), origin: None };
    if let Some(Value::Map(defaults)) =
        root.0.iter_mut().find(|entry| entry.key == "defaults").map(|entry| &mut entry.value)
    {
        // Inserted before the steps.
        let at = defaults.0.iter().position(|entry| entry.key == "build").unwrap_or(defaults.0.len());
        defaults.0.insert(at, entry);
        return;
    }
    let defaults =
        Entry { key: "defaults".to_owned(), value: Map(vec![entry]).into(), comment: Vec::new(), origin: None };
    let at = root.0.iter().position(|entry| entry.key == "images").unwrap_or(root.0.len());
    root.0.insert(at, defaults);
}

/// Every step of every image, and of `defaults`.
fn each_step(root: &mut Map, work: &mut dyn FnMut(&mut Map)) {
    for entry in &mut root.0 {
        match (entry.key.as_str(), &mut entry.value) {
            ("defaults", Value::Map(defaults)) => of_image(defaults, work),
            ("images", Value::Map(images)) => {
                for image in &mut images.0 {
                    if let Value::Map(image) = &mut image.value {
                        of_image(image, work);
                    }
                }
            }
            _ => {}
        }
    }
}

fn of_image(image: &mut Map, work: &mut dyn FnMut(&mut Map)) {
    for entry in image.0.iter_mut().filter(|entry| matches!(entry.key.as_str(), "build" | "validate" | "test")) {
        let Value::List(steps) = &mut entry.value else { continue };
        for step in steps {
            if let Value::Map(step) = step {
                work(step);
            }
        }
    }
}
