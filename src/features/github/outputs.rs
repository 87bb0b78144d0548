//! The outputs of action.yml.

use std::collections::BTreeMap;

use ami_bake_core::error::UNCLEAN;
use ami_bake_core::report::{ImageReport, Report, Status};
use ami_bake_github::console;
use serde_json::{Value, json};

/// All outputs, in the order of action.yml.
#[cfg(test)]
pub(super) const OUTPUTS: &[&str] = &[
    "ami-id",
    "amis",
    "version",
    "major",
    "minor",
    "patch",
    "changed",
    "tested",
    "source-ami",
    "console-url",
    "report",
    "metadata",
    "matrix",
    "launch-templates",
    "pull-request-url",
    "clean",
];

/// The outputs whose values the report already has.
pub(super) fn known(report: &Report) -> Vec<(&'static str, String)> {
    let mut known = Vec::new();
    let exists = |image: &&ImageReport| image.image.is_some() && image.status.is_good();
    if let Some(image) = report.images.iter().find_map(|image| image.image.as_ref()) {
        known.push(("ami-id", image.id.clone()));
        known.push(("amis", amis(report).to_string()));
    }
    let first = report.images.first();
    if let Some(version) =
        first.and_then(|image| image.image.as_ref().map(|image| &image.version).or(image.version.as_ref()))
    {
        known.push(("version", version.to_string()));
        // For tags of floating references: `1`, `1.4`, `1.4.2`.
        known.push(("major", version.major.to_string()));
        known.push(("minor", format!("{}.{}", version.major, version.minor)));
        known.push(("patch", format!("{}.{}.{}", version.major, version.minor, version.patch)));
    }
    if let Some(url) = first.and_then(|image| console_url(image, report)) {
        known.push(("console-url", url));
    }
    if report.exit_code.is_some() {
        known.push(("metadata", metadata(report).to_string()));
    }
    if let Some(source) = first.and_then(|image| image.source.as_ref()) {
        known.push(("source-ami", source.id.clone()));
    }
    if report.images.iter().any(|image| matches!(image.status, Status::Baked | Status::Registered)) {
        known.push(("changed", "true".to_owned()));
    } else if report.exit_code.is_some() {
        known.push(("changed", "false".to_owned()));
    }
    if report.exit_code.is_some() {
        let mut images = report.images.iter().filter(exists).peekable();
        let tested = images.peek().is_some()
            && images.all(|image| image.image.as_ref().is_some_and(|image| image.tested.is_some()))
            && report.images.iter().all(|image| image.status.is_good());
        known.push(("tested", tested.to_string()));
    }
    if let Some(code) = report.exit_code {
        known.push(("clean", (code != UNCLEAN && report.left.is_empty()).to_string()));
    }
    if let Some(templates) = launch_templates(report) {
        known.push(("launch-templates", templates.to_string()));
    }
    known
}

/// Maps images to regions to IDs; the key of a region in another account is `ACCOUNT/REGION`.
fn amis(report: &Report) -> Value {
    let mut amis: BTreeMap<&str, BTreeMap<String, &str>> = BTreeMap::new();
    for image in &report.images {
        let Some(record) = &image.image else { continue };
        let regions = amis.entry(&image.name).or_default();
        let home = record.region.clone().or_else(|| report.region.clone()).unwrap_or_else(|| report.platform.clone());
        regions.insert(home, &record.id);
        for delivery in &image.published {
            let Some(id) = &delivery.image else { continue };
            let region = match &delivery.account {
                Some(account) => format!("{account}/{}", delivery.region),
                None => delivery.region.clone(),
            };
            regions.insert(region, id);
        }
    }
    json!(amis)
}

/// The images as variables of Terraform, for a file `NAME.auto.tfvars.json`: the first image, and all of them by region.
pub(super) fn tfvars(report: &Report) -> Value {
    let records = || report.images.iter().filter_map(|image| Some((&image.name, image.image.as_ref()?)));
    let versions: BTreeMap<&String, String> =
        records().map(|(name, record)| (name, record.version.to_string())).collect();
    json!({
        "ami_id": records().next().map(|(_, record)| &record.id),
        "ami_ids": amis(report),
        "ami_versions": versions,
    })
}

/// URL of the console page of an image in its home region.
fn console_url(image: &ImageReport, report: &Report) -> Option<String> {
    let record = image.image.as_ref()?;
    console::image(record.region.as_deref().or(report.region.as_deref())?, &record.id)
}

/// Maps images to their metadata.
fn metadata(report: &Report) -> Value {
    let images = report.images.iter().map(|image| {
        let record = image.image.as_ref();
        let value = json!({
            "id": record.map(|record| &record.id),
            "name": record.map(|record| &record.name),
            "region": record.and_then(|record| record.region.as_ref()).or(report.region.as_ref()),
            "version": record.map(|record| &record.version).or(image.version.as_ref()),
            "digest": image.digest,
            "status": image.status.as_str(),
            "reason": image.reason,
            "tested": record.is_some_and(|record| record.tested.is_some()),
            "source": image.source.as_ref().map(|source| &source.id),
            "console-url": console_url(image, report),
        });
        (image.name.clone(), value)
    });
    Value::Object(images.collect())
}

/// Maps launch templates to their present version, for all deployments.
fn launch_templates(report: &Report) -> Option<Value> {
    let rollouts = report.images.iter().flat_map(|image| &image.deployed);
    let templates: BTreeMap<&str, Value> = rollouts
        .filter(|rollout| rollout.template.is_some())
        .map(|rollout| {
            let outcome = rollout.outcome.as_str();
            (
                rollout.target.as_str(),
                json!({"template": rollout.template, "version": rollout.version, "outcome": outcome}),
            )
        })
        .collect();
    (!templates.is_empty()).then(|| json!(templates))
}
