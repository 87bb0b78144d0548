//! Checks every variant, evaluated with placeholders for values that are only known later.

use std::collections::{HashMap, HashSet};

use ami_bake_core::Route;
use ami_bake_core::plan::{SourceImage, SourceQuery, VersionRule, WritePlace};
use semver::Version;

use super::{connect, documents, ec2, files, names, platform, playbooks, steps, uploads};
use crate::diagnostic::{Diagnostic, Sources};
use crate::manifest::Manifest;

/// The target of a deployment: role, region, and the group or template.
type DeployTarget = (Option<String>, Option<String>, String);

/// A placeholder for a source image.
fn stand_in(query: &SourceQuery) -> SourceImage {
    let id = match query {
        SourceQuery::Id(id) | SourceQuery::Reference(id) => id.clone(),
        _ => "ami-00000000000000000".to_owned(),
    };
    SourceImage {
        identity: id.clone(),
        name: "source".to_owned(),
        owner: "000000000000".to_owned(),
        created: None,
        tags: std::collections::BTreeMap::default(),
        architecture: None,
        version: None,
        id,
    }
}

/// Validates every variant of a manifest.
pub(crate) fn images(manifest: &Manifest, sources: &mut Sources, findings: &mut Vec<Diagnostic>) {
    let first = Version::new(0, 1, 0);
    let version = match &manifest.version {
        VersionRule::Fixed(version) => version,
        _ => &first,
    };
    let mut keys: HashSet<String> = HashSet::new();
    let mut names: HashMap<String, String> = HashMap::new();
    let mut parameters: HashMap<String, String> = HashMap::new();
    let mut written: HashMap<String, String> = HashMap::new();
    let mut deployed: HashMap<DeployTarget, String> = HashMap::new();
    let mut uploaded = uploads::Seen::new();
    platform::fields(manifest, findings);
    for image in &manifest.images {
        let route = Route::root().key("images").key(image.name.as_str());
        files::image(&image.node, &route, &manifest.folder, &manifest.files, findings);
        for variant in &image.variants {
            let shown = variant.key.to_string();
            if !keys.insert(shown.clone()) {
                let span = image.node.entry("matrix").map_or(image.node.span, |entry| entry.key_span);
                findings.push(
                    Diagnostic::error("same-name", span, format!("two variants have the same name `{shown}`"))
                        .help("Variants are named after their matrix values. Change the values.")
                        .route(route.key("matrix")),
                );
                continue;
            }
            let source = stand_in(&variant.source);
            let Some(plan) = manifest.lower(&variant.key, &source, version, findings) else {
                continue;
            };
            platform::plan(manifest, image, &plan, findings);
            steps::plan(manifest, image, &plan, findings);
            uploads::plan(manifest, image, &plan, &mut uploaded, findings);
            documents::plan(manifest, image, &plan, sources, findings);
            playbooks::plan(manifest, image, &plan, sources, findings);
            names::plan(manifest, image, &plan, findings);
            ec2::plan(manifest, image, &plan, findings);
            connect::plan(manifest, image, &plan, findings);
            for parameter in &plan.settings.distribution.parameters {
                let Some(other) = parameters.insert(parameter.clone(), shown.clone()) else { continue };
                let span = image.node.place(&Route::root().key("publish").key("parameters"));
                let message = format!("`{other}` and `{shown}` both set the parameter `{parameter}`");
                findings.push(
                    Diagnostic::error("same-name", span, message)
                        .help("Use `${{ image }}` or a matrix value in its name.")
                        .route(route.key("publish").key("parameters")),
                );
            }
            for write in &plan.settings.distribution.writes {
                let Some(other) = written.insert(format!("{:?}", write.place), shown.clone()) else { continue };
                if other == shown {
                    continue;
                }
                let span = image.node.place(&Route::root().key("publish").key("write"));
                let message = match &write.place {
                    WritePlace::File { path, pointer, .. } => {
                        format!("`{other}` and `{shown}` are both written to `{pointer}` in `{path}`")
                    }
                    WritePlace::Variable { name } => format!("`{other}` and `{shown}` both set the variable `{name}`"),
                };
                findings.push(
                    Diagnostic::error("same-name", span, message)
                        .help("Use `${{ image }}` or a matrix value in it.")
                        .route(route.key("publish").key("write")),
                );
            }
            for deployment in plan.settings.deployments.iter().filter(|deployment| deployment.wanted) {
                let target = deployment.group.as_ref().unwrap_or(&deployment.template);
                let place = (deployment.role.clone(), deployment.region.clone(), target.clone());
                let Some(other) = deployed.insert(place, shown.clone()).filter(|other| *other != shown) else {
                    continue;
                };
                let own = Route(deployment.route.0.iter().skip(2).cloned().collect());
                let message = format!("`{other}` and `{shown}` are both deployed to `{target}`");
                findings.push(
                    Diagnostic::error("same-name", image.node.place(&own), message)
                        .help("Only one image can be deployed to it. Use another one, put a matrix value in its name, or add an `if`.")
                        .route(deployment.route.clone()),
                );
            }
            if let Some(other) = names.insert(plan.settings.name.clone(), shown.clone()) {
                let span = image.node.place(&Route::root().key("publish").key("name"));
                let message = format!("`{other}` and `{shown}` have the same name `{}`", plan.settings.name);
                findings.push(
                    Diagnostic::error("same-name", span, message)
                        .help("Use `${{ image }}`, a matrix value or the version in `publish.name`.")
                        .route(route.key("publish").key("name")),
                );
            }
        }
    }
}
