//! `ami-bake plan`

use ami_bake_component::grants;
use ami_bake_core::engine::{self, BakeContext, Options, PlannedImage};
use ami_bake_core::event::Decision;
use ami_bake_core::plan::{ImagePlan, Resolved};
use ami_bake_core::platform::{Permission, Superseded};
use ami_bake_core::{ErrorKind, Result, Run};
use serde_json::{Value, json};

use crate::cli::{ManifestArgs, PlaceArgs};
use crate::commands::bake::VersionArgs;
use crate::commands::matrix::Matrix;
use crate::report::place;
use crate::session::{Parts, Session, Show, load};
use crate::table::{Cell, table};
use crate::ui::{Paint, Ui};

/// Show what would be baked, from what and why, and create nothing
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake plan
  ami-bake plan --environment production --permissions
  ami-bake plan --json | jq '.images'")]
pub(crate) struct Args {
    #[command(flatten)]
    manifest: ManifestArgs,

    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    version: VersionArgs,

    /// Ask by dry run what the role may do, and show the policy statements that are missing
    #[arg(long)]
    permissions: bool,

    /// Print the plan as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, ui: Ui) -> Result<u8> {
    plan(&args.manifest, args.place, &args.version, args.json, args.permissions, ui).await
}

/// Plans and shows it; `bake --dry-run` is the same.
pub(crate) async fn plan(
    manifest: &ManifestArgs,
    place: PlaceArgs,
    version: &VersionArgs,
    as_json: bool,
    permissions: bool,
    ui: Ui,
) -> Result<u8> {
    let loaded = load(manifest, place.region.as_deref(), false)?;
    loaded.show(ui);
    let Some(manifest) = loaded.manifest() else { return Ok(loaded.exit_code()) };
    let parts = Parts {
        show: Show::Warnings,
        creates: false,
        report: None,
        origin: loaded.facts().origin(),
        secrets: loaded.known_secrets(),
    };
    let session = Session::begin(parts, ui)?;
    let options = version.options(loaded.facts());
    let context = match loaded.context(manifest, place, &session.run).await {
        Ok(context) => context,
        Err(error) => return session.fail(error).await,
    };
    let answer = ask(&session.run, &context, &options, permissions).await;
    let (images, permissions) = match answer {
        Ok(answer) => answer,
        Err(error) => {
            ui.say(&loaded.explain(ui)(&(&error).into()));
            return Ok(session.end(error.kind().exit_code()).await);
        }
    };
    let denied = permissions.iter().any(|permission| permission.allowed == Some(false));
    #[cfg(feature = "github")]
    Matrix::of(&images).output();
    if as_json {
        ui.data(&format!("{:#}\n", as_value(&context, &images, &permissions)?));
    } else {
        ui.data(&as_text(&images, ui.paint_data));
        ui.data(&permissions_text(&permissions, ui.paint_data));
    }
    Ok(session.end(if denied { ErrorKind::Preflight.exit_code() } else { 0 }).await)
}

async fn ask(
    run: &Run,
    context: &BakeContext,
    options: &Options,
    permissions: bool,
) -> Result<(Vec<PlannedImage>, Vec<Permission>)> {
    let images = engine::plan(run, context, options).await?;
    if !permissions {
        return Ok((images, Vec::new()));
    }
    let plans = plans(context, &images)?;
    let steps = plans.iter().flat_map(|plan| plan.build.iter().chain(&plan.validate).chain(&plan.test));
    let permissions = context.platform.permissions(run, &plans, &grants(steps)).await?;
    Ok((images, permissions))
}

/// The plans of the images that are decided, for the permissions that they need.
fn plans(context: &BakeContext, images: &[PlannedImage]) -> Result<Vec<ImagePlan>> {
    images
        .iter()
        .filter_map(|image| match image {
            PlannedImage::Decided { key, source, version, .. } => Some((key, source, version)),
            PlannedImage::WaitsFor { .. } => None,
        })
        .map(|(key, source, version)| context.recipe.plan(key, &Resolved { source, version }))
        .collect()
}

fn as_value(context: &BakeContext, images: &[PlannedImage], permissions: &[Permission]) -> Result<Value> {
    let matrix = Matrix::of(images);
    let to_value = |value: serde_json::Result<Value>| {
        value.map_err(|error| ami_bake_core::Error::internal("write the plan as JSON").because(error))
    };
    let mut plan = json!({
        "format": 1,
        "namespace": context.recipe.namespace(),
        "platform": context.platform.capabilities().platform,
        "region": context.platform.region(),
        "images": to_value(serde_json::to_value(images))?,
        // What GitHub's `strategy.matrix` takes; an empty one is no matrix to it, so that a job asks `changed` first.
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
        (0, _) => "Nothing is selected.".to_owned(),
        (_, 0) => "Nothing changed: a bake would start no machine.".to_owned(),
        (all, changed) => format!("{changed} of {all} images would be made."),
    };
    let head = ["image", "version", "action", "from", "digest", "steps", "why"];
    if rows.is_empty() {
        format!("{end}\n")
    } else {
        format!("{}\n{end}\n{}{}", table(&head, &rows, paint), deploying(images), retiring(images, paint))
    }
}

/// What each image would be deployed to; empty without any.
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

/// The versions that would not be kept any longer, with what holds each; empty without any.
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
                None => Cell::new("deleted").look(Paint::odd),
                Some(why) => Cell::new(format!("stays: {why}")),
            };
            vec![
                Cell::new(image.key.to_string()).look(Paint::bold),
                Cell::new(image.version.to_string()),
                Cell::new(&image.id),
                Cell::new(place(image.region.as_deref(), image.account.as_deref())),
                what,
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("\n{}", table(&["no longer kept", "version", "id", "region", "what becomes of it"], &rows, paint))
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
                    (Cell::new("register").look(Paint::odd), format!("{} has the same content", image.id))
                }
            };
            let from = if source.name.is_empty() { &source.id } else { &source.name };
            let steps = steps.map(|count| count.to_string()).join("/");
            let name = cell(key).look(Paint::bold);
            vec![name, cell(version), action, cell(from), cell(&digest.short()), steps.into(), why.into()]
        }
        PlannedImage::WaitsFor { key, base, version } => {
            let action = Cell::new("bake").look(Paint::odd);
            let why = format!("{base} is baked first");
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
                None => Cell::new("not asked").look(Paint::dim),
            };
            // A policy statement has lines of its own; it stands below the table.
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
        assert!(text.contains("web    1.0.0    bake    base  base is baked first"), "{text}");
        assert!(text.ends_with("1 of 1 images would be made.\n"), "{text}");
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
