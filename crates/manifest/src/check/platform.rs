//! What the platform can't do.

use ami_bake_core::plan::{CaptureMode, ImagePlan, Probe, Verb};
use ami_bake_core::platform::Capabilities;
use ami_bake_core::{Route, Segment};

use super::deploy::deploy;
use crate::diagnostic::Diagnostic;
use crate::manifest::{ImageEntry, Manifest};
use crate::tree::Node;
use crate::words;

/// What the manifest's platform can do, where it is built in.
fn capabilities(manifest: &Manifest) -> Option<&Capabilities> {
    let name = manifest.platform.as_str();
    manifest.options.capabilities.iter().find(|capabilities| capabilities.platform == name)
}

/// Fields that the manifest's own platform does not know; under `--platform` they are skipped, and named in one line.
pub(super) fn fields(manifest: &Manifest, findings: &mut Vec<Diagnostic>) {
    let Some(known) = capabilities(manifest) else { return };
    let mut skipped: Vec<String> = Vec::new();
    // What is never baked here may have what only its own platforms know.
    let is_baked = |image: &&ImageEntry| {
        let here = |platforms: &Node| platforms.items().iter().any(|item| item.as_text() == Some(known.platform));
        image.node.get("platforms").is_none_or(here)
    };
    for image in manifest.images.iter().filter(is_baked) {
        let route = Route::root().key("images").key(image.name.as_str());
        for (section, fields) in [("machine", known.machine), ("publish", known.publish)] {
            for entry in image.node.get(section).map(Node::entries).unwrap_or_default() {
                // As below `source`, an entry for each platform stands beside the others.
                let elsewhere = section == "publish" && entry.key == "docker";
                if fields.contains(&entry.key.as_str()) || elsewhere {
                    continue;
                }
                let name = format!("{section}.{}", entry.key);
                if manifest.is_foreign() {
                    if !skipped.contains(&name) {
                        skipped.push(name);
                    }
                    continue;
                }
                let message = format!("the platform `{}` does not know `{name}`", known.platform);
                let help = if fields.is_empty() {
                    format!("It knows nothing of `{section}`.")
                } else {
                    format!("It knows {}.", words::list(fields, "and"))
                };
                findings.push(
                    Diagnostic::error("not-on-platform", entry.key_span, message)
                        .help(help)
                        .route(route.key(section).key(entry.key.as_str())),
                );
            }
        }
    }
    for image in manifest.images.iter().filter(is_baked).filter(|_| !known.deploy) {
        let Some(entry) = image.node.entry("deploy") else { continue };
        let what = format!("the platform `{}` does not know `deploy`", known.platform);
        if !manifest.is_foreign() {
            findings.push(
                Diagnostic::error("not-on-platform", entry.key_span, what)
                    .help("Launch templates and Auto Scaling groups are of the platform `aws`.")
                    .route(Route::root().key("images").key(image.name.as_str()).key("deploy")),
            );
        } else if !skipped.iter().any(|name| name == "deploy") {
            skipped.push("deploy".to_owned());
        }
    }
    if !skipped.is_empty() {
        let names: Vec<&str> = skipped.iter().map(String::as_str).collect();
        let message = format!(
            "skipped, since the platform `{}` does not know it: {}",
            known.platform,
            words::list(&names, "and")
        );
        findings.push(Diagnostic::note("skipped", None, message));
    }
}

/// Settings that contradict each other, and steps that can't run here.
pub(super) fn plan(manifest: &Manifest, image: &ImageEntry, plan: &ImagePlan, findings: &mut Vec<Diagnostic>) {
    let own = |route: &Route| image.node.place(&Route(route.0.iter().skip(2).cloned().collect::<Vec<Segment>>()));
    let capture = plan.route.key("capture");
    if plan.machine.spot && plan.settings.capture == CaptureMode::Stopped {
        findings.push(
            Diagnostic::error(
                "spot-stopped",
                own(&capture),
                "a spot machine can't be stopped, so `capture: stopped` can't work",
            )
            .help("Use `capture: halted`, or take `machine.spot` out.")
            .route(capture.clone()),
        );
    }
    if plan.machine.profile.is_some() && plan.machine.policy.is_some() {
        let route = plan.route.key("machine").key("policy");
        findings.push(
            Diagnostic::error("profile-policy", own(&route), "`profile` and `policy` exclude each other")
                .help("`profile` is a profile that exists, `policy` makes a temporary one: keep one of them.")
                .route(route),
        );
    }
    for (index, range) in plan.machine.ingress.iter().enumerate() {
        if !is_cidr(range) {
            let route = plan.route.key("machine").key("ingress").index(index);
            findings.push(
                Diagnostic::error("wrong-value", own(&route), format!("`{range}` is not a range of addresses"))
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
                format!("the platform `{}` has no `capture: {}`", known.platform, mode_name(plan.settings.capture)),
            )
            .help(format!("It has {}.", words::list(&modes, "and")))
            .route(capture),
        );
    }
    for step in plan.build.iter().chain(&plan.validate).chain(&plan.test) {
        let Verb::Expect(expectation) = &step.verb else { continue };
        if !known.init && matches!(expectation.probe, Probe::Service { .. }) {
            findings.push(
                Diagnostic::error(
                    "not-on-platform",
                    own(&step.route.key("expect").key("service")),
                    format!("the platform `{}` runs no init, so no service either", known.platform),
                )
                .help("Give the step `platforms: [aws]`, or start the program in a `run` step and expect its port.")
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

/// Whether a text is an address and a prefix length that fits it.
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
