//! The command `ami-bake plan`.

use std::ops::ControlFlow;

use ami_bake_component::grants;
use ami_bake_core::engine::{BakeContext, PlannedImage};
use ami_bake_core::event::Decision;
use ami_bake_core::plan::ImagePlan;
use ami_bake_core::platform::{Permission, Superseded};
use ami_bake_core::{Error, ErrorKind, Result, Run};
use ami_bake_manifest::{PrintedImage, yaml};
use serde_json::{Value, json};

use super::matrix::Matrix;
use super::planned::{Planned, PlannedImages, plan_images};
use crate::args::{TargetArgs, VersionArgs};
use crate::program::Program;
use crate::report::text::region;
use crate::table::{Cell, table};
use crate::ui::Paint;

/// Show what a bake would do and why, and create nothing
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake plan
  ami-bake plan --environment production --permissions
  ami-bake plan --print                          the manifest, merged and evaluated
  ami-bake plan --json | jq '.images'")]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    version: VersionArgs,

    /// Check the role's permissions with dry-run calls, and show the policy statements that are missing
    #[arg(long)]
    permissions: bool,

    /// Print the manifest as it would be baked: merged and evaluated, one image for each variant
    ///
    /// Environment and defaults are merged, a matrix is expanded, conditions and expressions are evaluated. Secrets, values of
    /// environment variables and of variable files, and facts about a source that is baked first stay expressions.
    #[arg(long, conflicts_with = "permissions")]
    print: bool,

    /// Print the plan, or with --print the manifest, as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, program: &Program) -> Result<u8> {
    if args.print {
        return print(program, args.target, &args.version, args.json).await;
    }
    plan(program, args.target, &args.version, args.json, args.permissions).await
}

/// Prints the evaluated manifest of the planned images.
async fn print(program: &Program, target: TargetArgs, version: &VersionArgs, as_json: bool) -> Result<u8> {
    let host = program.host.as_ref();
    let environment = target.manifest.environment.clone();
    let planned = match plan_images(program, target, version).await? {
        ControlFlow::Continue(PlannedImages::Planned(planned)) => *planned,
        ControlFlow::Continue(PlannedImages::Nothing) => return Ok(0),
        ControlFlow::Break(code) => return Ok(code),
    };
    let Planned { loaded, session, images, .. } = planned;
    let Some(manifest) = loaded.manifest() else { return Ok(session.end(loaded.exit_code()).await) };
    let printed: Vec<PrintedImage<'_>> = images
        .iter()
        .map(|image| match image {
            PlannedImage::Decided { key, source, version, .. } => PrintedImage { key, source: Some(source), version },
            PlannedImage::WaitsFor { key, version, .. } => PrintedImage { key, source: None, version },
        })
        .collect();
    let text = manifest.printed(&printed).and_then(|document| {
        if as_json { Ok((document, String::new())) } else { yaml(&document).map(|text| (document, text)) }
    });
    match text {
        Err(error) => return Ok(Planned::fail(program, &loaded, session, &error).await),
        Ok((document, _)) if as_json => host.json(&document, false),
        Ok((_, text)) => {
            let environment = environment.map(|name| format!(" for {name}")).unwrap_or_default();
            host.data(&format!("# {}{environment}, evaluated by `ami-bake plan --print`\n{text}", loaded.name()));
        }
    }
    Ok(session.end(0).await)
}

/// Plans the images and shows the plan; also for `bake --dry-run`.
pub(crate) async fn plan(
    program: &Program,
    target: TargetArgs,
    version: &VersionArgs,
    as_json: bool,
    permissions: bool,
) -> Result<u8> {
    let planned = match plan_images(program, target, version).await? {
        ControlFlow::Continue(PlannedImages::Planned(planned)) => *planned,
        ControlFlow::Continue(PlannedImages::Nothing) => return Ok(nothing(program, as_json)),
        ControlFlow::Break(code) => return Ok(code),
    };
    let Planned { loaded, session, context, images } = planned;
    let permissions = if permissions {
        match check_permissions(&session.run, &context, &images).await {
            Ok(permissions) => permissions,
            Err(error) => return Ok(Planned::fail(program, &loaded, session, &error).await),
        }
    } else {
        Vec::new()
    };
    let denied = permissions.iter().any(|permission| permission.allowed == Some(false));
    let host = program.host.as_ref();
    Matrix::of(&images).output(host);
    let plain = Paint { on: false };
    let page = format!("{}{}", as_text(&images, plain), permissions_text(&permissions, plain));
    let sign = if denied { "❌" } else { "📋" };
    host.page(&format!("{sign} {}: plan", context.recipe.namespace()), &page);
    if as_json {
        host.json(&as_value(&context, &images, &permissions)?, false);
    } else {
        let paint = host.ui().paint_data;
        host.data(&as_text(&images, paint));
        host.data(&permissions_text(&permissions, paint));
    }
    Ok(session.end(if denied { ErrorKind::Preflight.exit_code() } else { 0 }).await)
}

/// Shows a plan without images.
fn nothing(program: &Program, as_json: bool) -> u8 {
    let (host, matrix) = (program.host.as_ref(), Matrix::of(&[]));
    matrix.output(host);
    if as_json {
        host.json(&json!({"format": 1, "images": [], "changed": false, "matrix": matrix.all()}), false);
    }
    0
}

async fn check_permissions(run: &Run, context: &BakeContext, images: &[PlannedImage]) -> Result<Vec<Permission>> {
    let plans = plans(images);
    let steps = plans.iter().flat_map(|plan| plan.build.iter().chain(&plan.validate).chain(&plan.test));
    context.platform.permissions(run, &plans, &grants(steps)).await
}

/// The plans of the images that are already decided, for checking permissions.
fn plans(images: &[PlannedImage]) -> Vec<ImagePlan> {
    images
        .iter()
        .filter_map(|image| match image {
            PlannedImage::Decided { plan, .. } => Some(plan.as_ref().clone()),
            PlannedImage::WaitsFor { .. } => None,
        })
        .collect()
}

fn as_value(context: &BakeContext, images: &[PlannedImage], permissions: &[Permission]) -> Result<Value> {
    let matrix = Matrix::of(images);
    let to_value = |value: serde_json::Result<Value>| {
        value.map_err(|error| Error::internal("could not write the plan as JSON").because(error))
    };
    let mut plan = json!({
        "format": 1,
        "namespace": context.recipe.namespace(),
        "platform": context.platform.capabilities().platform,
        "region": context.platform.region(),
        "images": to_value(serde_json::to_value(images))?,
        // For GitHub's `strategy.matrix`, which must not be empty: jobs check `changed` first.
        "changed": matrix.is_changed(),
        "matrix": matrix.all(),
    });
    if !permissions.is_empty() {
        plan["permissions"] = to_value(serde_json::to_value(permissions))?;
    }
    Ok(plan)
}

fn as_text(images: &[PlannedImage], paint: Paint) -> String {
    let rows: Vec<Vec<Cell>> = images.iter().map(row).collect();
    let changed = Matrix::of(images).count();
    let end = match (images.len(), changed) {
        (0, _) => "No images selected.".to_owned(),
        (_, 0) => "No changes: a bake would launch no machine.".to_owned(),
        (all, changed) => format!("Plan: {changed} to bake, {} to reuse.", all - changed),
    };
    let head = ["image", "version", "action", "from", "digest", "steps", "reason"];
    if rows.is_empty() {
        format!("{end}\n")
    } else {
        format!("{}\n{end}\n{}{}", table(&head, &rows, paint), deploying(images), retiring(images, paint))
    }
}

/// The deployment targets of each image.
fn deploying(images: &[PlannedImage]) -> String {
    let mut text = String::new();
    for image in images {
        if let PlannedImage::Decided { key, deploying, .. } = image
            && !deploying.is_empty()
        {
            text.push_str(&format!("{key} would be deployed to {}.\n", deploying.join(", then to ")));
        }
    }
    text
}

/// The old versions that would be deleted, and those that would be kept because they are in use.
fn retiring(images: &[PlannedImage], paint: Paint) -> String {
    let rows: Vec<Vec<Cell>> = images
        .iter()
        .filter_map(|image| match image {
            PlannedImage::Decided { retiring, .. } => Some(retiring),
            PlannedImage::WaitsFor { .. } => None,
        })
        .flatten()
        .map(|Superseded { image, held }| {
            let what = match held {
                None => Cell::new("delete").look(Paint::odd),
                Some(why) => Cell::new(format!("keep: {why}")),
            };
            vec![
                Cell::new(image.key.to_string()).look(Paint::bold),
                Cell::new(image.version.to_string()),
                Cell::new(&image.id),
                Cell::new(region(image.region.as_deref(), image.account.as_deref())),
                what,
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("\n{}", table(&["old version of", "version", "id", "region", "action"], &rows, paint))
}

fn row(image: &PlannedImage) -> Vec<Cell> {
    let cell = |text: &dyn ToString| Cell::new(text.to_string());
    match image {
        PlannedImage::Decided { key, source, version, digest, decision, steps, .. } => {
            let (action, why) = match &**decision {
                Decision::Bake { reason } => (Cell::new("bake").look(Paint::odd), reason.clone()),
                Decision::Reuse { image } => {
                    (Cell::new("reuse").look(Paint::good), format!("{} is unchanged", image.id))
                }
                Decision::Reregister { image } => {
                    (Cell::new("register").look(Paint::odd), format!("same content as {}", image.id))
                }
            };
            let from = if source.name.is_empty() { &source.id } else { &source.name };
            let steps = steps.map(|count| count.to_string()).join("/");
            let name = cell(key).look(Paint::bold);
            vec![name, cell(version), action, cell(from), cell(&digest.short()), steps.into(), why.into()]
        }
        PlannedImage::WaitsFor { key, base, version } => {
            let action = Cell::new("bake").look(Paint::odd);
            let why = format!("built on {base}");
            vec![cell(key).look(Paint::bold), cell(version), action, cell(base), "".into(), "".into(), why.into()]
        }
    }
}

fn permissions_text(permissions: &[Permission], paint: Paint) -> String {
    let rows: Vec<Vec<Cell>> = permissions
        .iter()
        .map(|permission| {
            let answer = match permission.allowed {
                Some(true) => Cell::new("allowed").look(Paint::good),
                Some(false) => Cell::new("denied").look(Paint::bad),
                None => Cell::new("not checked").look(Paint::dim),
            };
            // A policy statement has several lines: it is shown below the table.
            let detail = permission.detail.as_deref().unwrap_or_default();
            let brief = if detail.contains('\n') { "" } else { detail };
            vec![Cell::new(&permission.action), answer, brief.into()]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}", table(&["action", "permission", "detail"], &rows, paint));
    for permission in permissions {
        if let Some(detail) = permission.detail.as_deref().filter(|detail| detail.contains('\n')) {
            text.push_str(&format!("\n{}:\n{}\n", permission.action, detail.trim_end()));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use ami_bake_core::plan::ImageKey;

    use super::*;

    #[test]
    fn what_waits_for_its_base_is_part_of_the_matrix() {
        let image = PlannedImage::WaitsFor {
            key: ImageKey::new("web"),
            base: ImageKey::new("base"),
            version: semver::Version::new(1, 0, 0),
        };
        let text = as_text(&[image], Paint { on: false });
        assert!(text.contains("web    1.0.0    bake    base  built on base"), "{text}");
        assert!(text.ends_with("Plan: 1 to bake, 0 to reuse.\n"), "{text}");
    }

    #[test]
    fn a_missing_permission_shows_its_statement() {
        let denied = Permission {
            action: "ec2:RunInstances".into(),
            allowed: Some(false),
            detail: Some("{\n  \"Effect\": \"Allow\"\n}".into()),
        };
        let text = permissions_text(&[denied], Paint { on: false });
        assert!(text.contains("ec2:RunInstances  denied") && text.contains("\n  \"Effect\""), "{text}");
    }
}
