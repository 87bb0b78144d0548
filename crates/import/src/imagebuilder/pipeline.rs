//! Converts pipelines: their schedule belongs in the workflow.

use super::project::Project;
use super::resource::{Resource, get, unsupported};
use super::resource_kind::ResourceKind;
use crate::output::Draft;

pub(super) fn read(pipeline: &Resource, project: &Project, draft: &mut Draft) {
    let context = &project.context;
    if let Some(name) = pipeline.name(context) {
        draft.stem = name;
    }
    if let Some(text) = pipeline.get("description")
        && let Some(text) = text.text()
    {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if !draft.head.ends_with(&lines) {
            draft.head.extend(lines);
        }
    }
    for (field, kind) in [
        ("imageRecipeArn", ResourceKind::Recipe),
        ("infrastructureConfigurationArn", ResourceKind::Infrastructure),
        ("distributionConfigurationArn", ResourceKind::Distribution),
    ] {
        let Some(field) = pipeline.get(field) else { continue };
        if project.all.of(kind).next().is_some() {
            field.mark_used();
        } else {
            field.drop(
                "the resource that it refers to is not among the imported files",
                "Import again with that resource.",
            );
        }
    }
    if let Some(tests) = pipeline.get("imageTestsConfiguration") {
        if let Some(enabled) = get(&tests, "imageTestsEnabled") {
            match context.flag(&enabled) {
                Some(false) => {
                    enabled.changed("`test` steps always run", "Remove them if they should not run.");
                }
                _ => enabled.mark_used(),
            }
        }
        unsupported(&tests, &[("timeoutMinutes", "timeouts are set per step", "Set `timeout` on the steps.")]);
    }
    pipeline.report_unsupported(&[
        ("schedule", "the schedule belongs in the workflow", "Use `on: schedule` with `cron` in the workflow."),
        ("status", "a manifest can't be disabled", ""),
        ("enhancedImageMetadataEnabled", "package inventories are not supported", ""),
        (
            "imageScanningConfiguration",
            "image scanning is not supported",
            "Scan images in the workflow after the bake.",
        ),
        ("executionRole", "the bake uses the role of the workflow", "See `aws.role`."),
        ("workflows", "the order of the stages is fixed", ""),
        ("loggingConfiguration", "the bake prints its logs", ""),
        ("containerRecipeArn", "container recipes are not supported", "Bake a container image with `source.docker`."),
        ("tags", "tags of the pipeline", ""),
        (
            "imageTags",
            "tags of Image Builder's own image resource",
            "Add them to `publish.tags` if the AMI needs them.",
        ),
        ("deletionSettings", "only relevant to Image Builder's own image resource", ""),
        ("platform", "set by AWS", ""),
        ("dateLastRun", "set by AWS", ""),
        ("dateNextRun", "set by AWS", ""),
    ]);
}
