//! Checks names that the platform would refuse after the image was built.

use ami_bake_core::Route;
use ami_bake_core::plan::{ImagePlan, TestConnect};
use ami_bake_core::version::in_name;

use crate::diagnostic::Diagnostic;
use crate::manifest::{ImageEntry, Manifest};
use crate::model::Platform;
use crate::tree::Node;

/// Checks that each entry of `publish.write` names one place.
fn writes(image: &ImageEntry, plan: &ImagePlan, findings: &mut Vec<Diagnostic>) {
    let route = Route::root().key("publish").key("write");
    let Some(node) = image.node.get("publish").and_then(|publish| publish.get("write")) else { return };
    let entries: Vec<&Node> = if node.items().is_empty() { vec![node] } else { node.items().iter().collect() };
    for entry in entries {
        let has = |key: &str| entry.get(key).is_some();
        let wrong = match (has("file"), has("pointer"), has("variable")) {
            (false, false, true) if has("as") || has("branch") => Some("`as` and `branch` are for files"),
            (true, true, false) | (false, false, true) => None,
            (true, false, false) => Some("`file` needs a `pointer`"),
            (false, true, false) => Some("`pointer` needs a `file`"),
            (_, _, true) => Some("`file` and `variable` are mutually exclusive"),
            (false, false, false) => Some("it names no place"),
        };
        if let Some(wrong) = wrong {
            let span = image.node.place(&route);
            let help = "Use `file` and `pointer`, or `variable`.";
            let at = plan.route.key("publish").key("write");
            findings.push(Diagnostic::error("write", span, format!("`publish.write`: {wrong}")).help(help).route(at));
        }
    }
    let mut seen = std::collections::HashSet::new();
    for write in &plan.settings.distribution.writes {
        if !seen.insert(format!("{:?}", write.place)) {
            let at = plan.route.key("publish").key("write");
            let message = "`publish.write` names the same place twice";
            findings.push(Diagnostic::error("same-name", image.node.place(&route), message).route(at));
        }
    }
}

/// Checks names and tags against the limits of AMIs (EC2 API, RegisterImage and Tag).
pub(super) fn plan(manifest: &Manifest, image: &ImageEntry, plan: &ImagePlan, findings: &mut Vec<Diagnostic>) {
    writes(image, plan, findings);
    if manifest.platform != Platform::Aws {
        return;
    }
    let publish = Route::root().key("publish");
    let mut refuse = |key: &str, message: String, help: &str| {
        let below = |route: &Route| key.split('.').fold(route.clone(), |route, key| route.key(key));
        let span = image.node.place(&below(&publish));
        let route = below(&plan.route.key("publish"));
        findings.push(Diagnostic::error("wrong-value", span, message).help(help).route(route));
    };
    // AMI names write build metadata differently.
    let name = &plan.settings.name.replace(&plan.version.to_string(), &in_name(&plan.version));
    let length = name.chars().count();
    if !(3..=128).contains(&length) {
        refuse(
            "name",
            format!("the image name `{name}` has {length} characters"),
            "AMI names have 3 to 128 characters. Set `publish.name`.",
        );
    }
    if let Some(odd) = name.chars().find(|c| !is_name(*c)) {
        refuse(
            "name",
            format!("the image name `{name}` contains {odd:?}"),
            "AMI names can contain letters, digits, spaces and ( ) [ ] . / - ' @ _",
        );
    }
    if plan.settings.description.chars().count() > 255 {
        refuse(
            "description",
            "the description is longer than 255 characters".to_owned(),
            "Shorten it. This is a limit of EC2.",
        );
    }
    for name in &plan.settings.distribution.parameters {
        if let Some(why) = odd_parameter(name) {
            refuse(
                "parameters",
                format!("`{name}` is not a valid parameter name: {why}"),
                "Write it like `/images/web/latest`.",
            );
        }
    }
    let share = &plan.settings.distribution.share;
    for (key, arns, what, mark) in [
        ("share.organizations", &share.organizations, "an organization", ":organization/o-"),
        ("share.organizational-units", &share.organizational_units, "an organizational unit", ":ou/o-"),
    ] {
        if let Some(odd) = arns.iter().find(|arn| !(arn.starts_with("arn:aws") && arn.contains(mark))) {
            refuse(
                key,
                format!("`{odd}` is not the ARN of {what}"),
                "Use a full ARN, such as `arn:aws:organizations::111122223333:organization/o-abcde12345`.",
            );
        }
    }
    let disk = &plan.machine.disk;
    if share.public && (disk.encrypted == Some(true) || disk.kms_key.is_some()) {
        refuse(
            "share.public",
            "an encrypted image cannot be public".to_owned(),
            "Remove `machine.disk.encrypted` or `public: true`.",
        );
    }
    let distribution = &plan.settings.distribution;
    let places = distribution.regions.iter().chain(distribution.targets.iter().flat_map(|target| &target.regions));
    if let Some(place) = places.filter(|_| share.public).find(|place| place.kms_key.is_some()) {
        refuse(
            "share.public",
            format!("a public image cannot be encrypted, but it is in {}", place.region),
            "Remove its `kms-key` or `public: true`.",
        );
    }
    // 50 tags in total (EC2 user guide, tag restrictions). ami-bake sets up to 18, 7 more on shared images, and one for
    // each environment that publishes the image, and one on images that are tested without a login.
    let own = if share.is_nobody() { 18 } else { 25 };
    let own = own + usize::from(plan.settings.test_connect == Some(TestConnect::None));
    let own = own + manifest.root.get("environments").map(Node::entries).unwrap_or_default().len();
    if plan.settings.tags.len() > 50 - own {
        refuse(
            "tags",
            format!("too many tags: {}", plan.settings.tags.len()),
            &format!("EC2 allows 50 tags per image, and ami-bake sets {own} of them."),
        );
    }
}

/// Why Systems Manager would refuse a parameter name (Systems Manager API, PutParameter, Name).
fn odd_parameter(name: &str) -> Option<String> {
    if let Some(odd) = name.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/'))) {
        return Some(format!("it contains {odd:?}"));
    }
    let levels: Vec<&str> = name.trim_start_matches('/').split('/').collect();
    let first = levels.first().map(|level| level.to_ascii_lowercase()).unwrap_or_default();
    if first.starts_with("aws") || first.starts_with("ssm") {
        return Some("names that start with `aws` or `ssm` are reserved".to_owned());
    }
    if levels.iter().any(|level| level.is_empty()) {
        return Some("one of its levels is empty".to_owned());
    }
    if levels.len() > 1 && !name.starts_with('/') {
        return Some("a path starts with `/`".to_owned());
    }
    (levels.len() > 15 || name.len() > 1011).then(|| "it is too long".to_owned())
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, ' ' | '(' | ')' | '[' | ']' | '.' | '/' | '-' | '\'' | '@' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parameters_are_those_of_the_api() {
        for good in ["/images/web/1/latest", "web-latest", "/a.b/c_d"] {
            assert_eq!(odd_parameter(good), None, "{good}");
        }
        for bad in ["images/web", "/images//web", "/aws/web", "ssm-web", "/images/web:latest", "/images/", ""] {
            assert!(odd_parameter(bad).is_some(), "{bad}");
        }
    }
}
