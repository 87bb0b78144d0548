//! Pipelines: when an image is built, which is the workflow's matter here.

use super::resource::{get, left};
use super::{Kind, Making, Resource};
use crate::output::Draft;

pub(super) fn read(pipeline: &Resource, making: &Making, draft: &mut Draft) {
    let context = &making.context;
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
        ("imageRecipeArn", Kind::Recipe),
        ("infrastructureConfigurationArn", Kind::Infrastructure),
        ("distributionConfigurationArn", Kind::Distribution),
    ] {
        let Some(field) = pipeline.get(field) else { continue };
        if making.all.of(kind).next().is_some() {
            field.tick();
        } else {
            field.drop("what it refers to is not among the files", "Import again with it.");
        }
    }
    if let Some(tests) = pipeline.get("imageTestsConfiguration") {
        if let Some(enabled) = get(&tests, "imageTestsEnabled") {
            match context.flag(&enabled) {
                Some(false) => {
                    enabled
                        .changed("the steps of `test` run where there are any", "Take them out where they must not.");
                }
                _ => enabled.tick(),
            }
        }
        left(&tests, &[("timeoutMinutes", "each step has a limit of its own", "Set `timeout` on the steps.")]);
    }
    left(
        &pipeline.reader,
        &[
            (
                "schedule",
                "when it is baked is the workflow's matter",
                "Use `on: schedule` with `cron` in the workflow.",
            ),
            ("status", "a manifest is not switched on or off", ""),
            ("enhancedImageMetadataEnabled", "no inventory of packages is taken", ""),
            ("imageScanningConfiguration", "images are not scanned", "Scan them in the workflow behind the bake."),
            ("executionRole", "the bake has the workflow's role", "See `aws.role`."),
            ("workflows", "the order of the stages is the bake's own", ""),
            ("loggingConfiguration", "logs are the bake's own output", ""),
            ("containerRecipeArn", "a container recipe has no counterpart", "Make an image with `source.docker`."),
            ("tags", "they are tags of the pipeline", ""),
            (
                "imageTags",
                "they are tags of Image Builder's record of the image",
                "Write them into `publish.tags` where the image needs them.",
            ),
            ("deletionSettings", "it belongs to Image Builder's record of the image", ""),
            ("clientToken", "it belongs to the call of the API", ""),
            ("arn", "AWS made it", ""),
            ("platform", "AWS made it", ""),
            ("dateCreated", "AWS made it", ""),
            ("dateUpdated", "AWS made it", ""),
            ("dateLastRun", "AWS made it", ""),
            ("dateNextRun", "AWS made it", ""),
        ],
    );
}
