//! Converts the fields that every provisioner has: pause, timeout, retries, name.

use super::fields::Fields;
use crate::context::Context;
use crate::duration::seconds;
use crate::packer::build::{Build, ImageDraft, Platform};
use crate::yaml::{Map, Value};

/// Default time limit of a `reboot` step, in seconds.
const REBOOT: f64 = 600.0;

/// Adds the steps of a provisioner, with the common fields applied to all of them.
pub(super) fn add(
    steps: Vec<Map>,
    comments: Vec<String>,
    fields: &Fields,
    build: &Build,
    context: &Context,
    image: &mut ImageDraft,
) {
    let pause = fields.get("pause_before").and_then(|pause| Some((context.duration(&pause)?, pause)));
    let timeout = fields.get("timeout").and_then(|timeout| Some((context.duration(&timeout)?, timeout)));
    let retries = fields.get("max_retries").and_then(|retries| Some((context.number(&retries)?, retries)));
    let name = fields.get("name").and_then(|name| Some((context.text(&name)?, name)));
    if steps.is_empty() {
        return;
    }
    if steps.iter().filter(|step| step.get("reboot").is_none()).count() > 1 {
        for (_, from) in [&timeout, &retries].into_iter().flatten() {
            from.changed("it applies to each of its steps; in Packer to all of them together", "");
        }
    }
    if let Some((time, from)) = pause {
        let after_reboot = matches!(image.steps.last(), Some(Value::Map(last)) if last.get("reboot").is_some());
        match self::pause(&time, build) {
            _ if after_reboot => from.changed("not needed: `reboot` waits until the machine is back", ""),
            Some(step) => image.steps.push(step.into()),
            None => {}
        }
    }
    // The time for which Packer tries to start the script while the machine restarts.
    if let Some(field) = fields.get("start_retry_timeout")
        && let Some(limit) = context.duration(&field)
    {
        match image.steps.last_mut() {
            Some(Value::Map(last)) if last.get("reboot").is_some() => {
                if matches!(&limit, Value::Text(text) if seconds(text).is_some_and(|limit| limit > REBOOT)) {
                    last.set_from("timeout", limit, &field);
                }
            }
            _ => field.drop("the bake reconnects automatically", ""),
        }
    }
    if let Some(carry) = fields.get("continue_on_error") {
        carry.changed("replaced with `on-failure: ignore`", "");
        if context.flag(&carry) == Some(true) {
            return push(steps, comments, image, |step| {
                step.set_from("on-failure", "ignore", &carry);
                extras(step, timeout.as_ref(), retries.as_ref(), name.as_ref());
            });
        }
    }
    push(steps, comments, image, |step| extras(step, timeout.as_ref(), retries.as_ref(), name.as_ref()));
}

type Field<'a> = (Value, crate::input::Reader<'a>);

fn extras(step: &mut Map, timeout: Option<&Field>, retries: Option<&Field>, name: Option<&Field>) {
    if step.get("reboot").is_none() {
        if let Some((value, from)) = timeout {
            step.set_from("timeout", value.clone(), from);
        }
        if let Some((value, from)) = retries {
            step.set_from("retries", value.clone(), from);
        }
    }
    if let Some((value, from)) = name {
        step.set_from("name", value.clone(), from);
        // The name is written first.
        if let Some(entry) = step.0.pop() {
            step.0.insert(0, entry);
        }
    }
}

fn push(steps: Vec<Map>, mut comments: Vec<String>, image: &mut ImageDraft, extras: impl Fn(&mut Map)) {
    for mut step in steps {
        extras(&mut step);
        if let Some(first) = step.0.first_mut() {
            first.comment.splice(0..0, std::mem::take(&mut comments));
        }
        image.steps.push(step.into());
    }
}

/// A step that waits.
pub(super) fn pause(time: &Value, build: &Build) -> Option<Map> {
    let Value::Text(text) = time else { return None };
    // In whole seconds, rounded up.
    let seconds = format!("{:.0}", seconds(text)?.ceil());
    if seconds == "0" {
        return None;
    }
    let mut step = Map::default();
    step.set("name", format!("Pause for {text}"));
    step.set("run", format!("sleep {seconds}"));
    // Not every container has bash, the default shell.
    if build.platform == Platform::Docker {
        step.set("shell", "sh -e");
    }
    Some(step)
}
