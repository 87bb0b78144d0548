//! Finds keys, settings and steps that the platform does not support.

use ami_bake_core::plan::{CaptureMode, ImagePlan, Probe, StepAction};
use ami_bake_core::platform::Capabilities;
use ami_bake_core::{Route, Segment};

use super::deploy::deploy;
use crate::diagnostic::{Diagnostic, Span};
use crate::manifest::{ImageEntry, Manifest};
use crate::tree::{Entry, Node};
use crate::words;

/// The capabilities of the manifest's platform, if it is built in.
fn capabilities(manifest: &Manifest) -> Option<&Capabilities> {
    let name = manifest.platform.as_str();
    manifest.options.capabilities.iter().find(|capabilities| capabilities.platform == name)
}

/// Reports unsupported keys. With `--platform` they are ignored, with a single note.
pub(super) fn fields(manifest: &Manifest, findings: &mut Vec<Diagnostic>) {
    let Some(known) = capabilities(manifest) else { return };
    let mut skipped: Vec<String> = Vec::new();
    // An image that is not baked on this platform may use keys of other platforms.
    let is_baked = |image: &&ImageEntry| {
        let here = |platforms: &Node| platforms.items().iter().any(|item| item.as_text() == Some(known.platform));
        image.node.get("platforms").is_none_or(here)
    };
    for image in manifest.images.iter().filter(is_baked) {
        let route = Route::root().key("images").key(image.name.as_str());
        for (section, fields) in [("machine", known.machine), ("publish", known.publish)] {
            for entry in image.node.get(section).map(Node::entries).unwrap_or_default() {
                // `publish.docker` is for one platform, like the entries of `source`.
                let elsewhere = section == "publish" && entry.key == "docker";
                // IDs of any platform can be written into the repository, but not those of a trial on another platform.
                let written = section == "publish" && entry.key == "write" && !manifest.is_foreign();
                if elsewhere || written {
                    continue;
                }
                for (key, span) in unsupported(entry, fields) {
                    let name = format!("{section}.{}", key.join("."));
                    if manifest.is_foreign() {
                        if !skipped.contains(&name) {
                            skipped.push(name);
                        }
                        continue;
                    }
                    let message = format!("`{name}` is not supported on `{}`", known.platform);
                    let every = if section == "publish" { &["write"][..] } else { &[] };
                    let supported = [fields, every].concat();
                    let help = if supported.is_empty() {
                        format!("No keys of `{section}` are supported there.")
                    } else {
                        format!("Supported keys: {}.", words::list(&supported, "and"))
                    };
                    let route = key.iter().fold(route.key(section), |route, key| route.key(*key));
                    findings.push(Diagnostic::error("not-on-platform", span, message).help(help).route(route));
                }
            }
        }
    }
    for image in manifest.images.iter().filter(is_baked).filter(|_| !known.deploy) {
        let Some(entry) = image.node.entry("deploy") else { continue };
        let what = format!("`deploy` is not supported on `{}`", known.platform);
        if !manifest.is_foreign() {
            findings.push(
                Diagnostic::error("not-on-platform", entry.key_span, what)
                    .help("Launch templates and Auto Scaling groups need the platform `aws`.")
                    .route(Route::root().key("images").key(image.name.as_str()).key("deploy")),
            );
        } else if !skipped.iter().any(|name| name == "deploy") {
            skipped.push("deploy".to_owned());
        }
    }
    if !skipped.is_empty() {
        let names: Vec<&str> = skipped.iter().map(String::as_str).collect();
        let message = format!("ignored: not supported on `{}`: {}", known.platform, words::list(&names, "and"));
        findings.push(Diagnostic::note("skipped", None, message));
    }
}

/// The keys of an entry that are not among the supported `fields`, with their lines: the entry itself, or, when only some
/// of its own keys are supported (`disk.size`), those that are not.
fn unsupported<'a>(entry: &'a Entry, fields: &[&str]) -> Vec<(Vec<&'a str>, Span)> {
    let key = entry.key.as_str();
    if fields.contains(&key) {
        return Vec::new();
    }
    let inner: Vec<&str> = fields.iter().filter_map(|field| field.strip_prefix(key)?.strip_prefix('.')).collect();
    let entries = entry.value.entries();
    if inner.is_empty() || entries.is_empty() {
        return vec![(vec![key], entry.key_span)];
    }
    let outside = entries.iter().filter(|entry| !inner.contains(&entry.key.as_str()));
    outside.map(|entry| (vec![key, entry.key.as_str()], entry.key_span)).collect()
}

/// Reports settings that contradict each other, and steps that cannot run on the platform.
pub(super) fn plan(manifest: &Manifest, image: &ImageEntry, plan: &ImagePlan, findings: &mut Vec<Diagnostic>) {
    let own = |route: &Route| image.node.place(&Route(route.0.iter().skip(2).cloned().collect::<Vec<Segment>>()));
    let capture = plan.route.key("capture");
    if plan.machine.spot && plan.settings.capture == CaptureMode::Stopped {
        findings.push(
            Diagnostic::error(
                "spot-stopped",
                own(&capture),
                "`capture: stopped` is not supported with `machine.spot`: EC2 cannot stop a spot instance",
            )
            .help("Use `capture: halted`, or remove `machine.spot`.")
            .route(capture.clone()),
        );
    }
    if plan.machine.profile.is_some() && plan.machine.policy.is_some() {
        let route = plan.route.key("machine").key("policy");
        findings.push(
            Diagnostic::error("profile-policy", own(&route), "`profile` and `policy` are mutually exclusive")
                .help("`profile` uses an existing instance profile, `policy` creates a temporary one. Remove one of them.")
                .route(route),
        );
    }
    for (index, range) in plan.machine.ingress.iter().enumerate() {
        if !is_cidr(range) {
            let route = plan.route.key("machine").key("ingress").index(index);
            findings.push(
                Diagnostic::error("wrong-value", own(&route), format!("`{range}` is not a valid CIDR range"))
                    .help("Write it like `203.0.113.0/24` or `2001:db8::/32`.")
                    .route(route),
            );
        }
    }
    deploy(image, plan, findings);
    let Some(known) = capabilities(manifest) else { return };
    if !known.captures.contains(&plan.settings.capture) && !manifest.is_foreign() {
        let modes: Vec<&str> = known.captures.iter().map(|mode| mode_name(*mode)).collect();
        findings.push(
            Diagnostic::error(
                "not-on-platform",
                own(&capture),
                format!("`capture: {}` is not supported on `{}`", mode_name(plan.settings.capture), known.platform),
            )
            .help(format!("Available: {}.", words::list(&modes, "and")))
            .route(capture),
        );
    }
    for step in plan.build.iter().chain(&plan.validate).chain(&plan.test) {
        let StepAction::Expect(expectation) = &step.action else { continue };
        if !known.init && matches!(expectation.probe, Probe::Service { .. }) {
            findings.push(
                Diagnostic::error(
                    "not-on-platform",
                    own(&step.route.key("expect").key("service")),
                    format!("services are not supported on `{}`: it runs no init system", known.platform),
                )
                .help("Add `platforms: [aws]` to the step, or start the program in a `run` step and expect its port.")
                .route(step.route.clone()),
            );
        }
    }
}

fn mode_name(mode: CaptureMode) -> &'static str {
    match mode {
        CaptureMode::Halted => "halted",
        CaptureMode::Stopped => "stopped",
        CaptureMode::Live => "live",
    }
}

/// Whether a string is an IP address with a valid prefix length.
fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let most = match address.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => 32,
        Ok(std::net::IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    length.parse::<u8>().is_ok_and(|length| length <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_real_addresses() {
        assert!(is_cidr("10.0.0.0/8") && is_cidr("::/0"));
        assert!(!is_cidr("300.0.0.0/8") && !is_cidr("10.0.0.0/33") && !is_cidr("10.0.0.0"));
    }
}
