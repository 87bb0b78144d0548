//! `ami-bake images rm`

use std::collections::BTreeSet;

use ami_bake_core::error::UNCLEAN;
use ami_bake_core::image_name::ImageName;
use ami_bake_core::platform::{Listed, Usage};
use ami_bake_core::{Error, Result, Run, tags};
use serde_json::{Value, json};

use super::inventory::Inventory;
use super::rows::{as_table, as_value};
use crate::args::TargetArgs;
use crate::error::sentence;
use crate::program::Program;
use crate::report::Show;
use crate::report::text::region;
use crate::session::{Session, Settings};

/// Delete a version of an image, in every region and account where the manifest publishes it
///
/// Deletes nothing without --yes. An image that something uses, that other images are built on, or whose use can't be
/// determined is refused; one that is protected from deregistration is left.
///
/// The exit code is 9 if something could not be deleted.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake images rm web@1.4.0
  ami-bake images rm web@1.4.0 --yes
  ami-bake images rm web --all-versions --platform local --yes")]
pub(super) struct Args {
    /// Image to delete: IMAGE@VERSION, NAME/IMAGE/VERSION or an ID
    #[arg(value_name = "IMAGE")]
    name: String,

    #[command(flatten)]
    target: TargetArgs,

    /// Delete all versions of IMAGE, pre-releases and untested ones too
    #[arg(long)]
    all_versions: bool,

    /// Delete the images
    #[arg(long)]
    yes: bool,

    /// Print the images as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, program: &Program) -> Result<u8> {
    let name = ImageName::parse(&args.name)?.exact(args.all_versions)?;
    let session = Session::begin(Settings::reading(Show::Warnings), &program.host)?;
    match remove(args, &name, &session.run, program).await {
        Ok(code) => Ok(session.end(code).await),
        Err(error) => session.fail(error).await,
    }
}

async fn remove(args: Args, name: &ImageName, run: &Run, program: &Program) -> Result<u8> {
    let (yes, as_json) = (args.yes, args.json);
    let inventory = Inventory::look_up(program, run, args.target).await?;
    let chosen = inventory.named(name)?;
    refuse_used(&chosen, &inventory.all)?;
    let host = program.host.as_ref();
    if !yes {
        if as_json {
            host.json(&states(&chosen, |_| "found".to_owned())?, false);
        } else {
            host.data(&as_table(&chosen, run.clock().now(), host.ui().paint_data));
            host.say(&format!("\n{} to delete; rerun with --yes\n", chosen.len()));
        }
        return Ok(0);
    }
    let mut failed = Vec::new();
    for Listed { image, .. } in &chosen {
        run.check()?;
        let place = region(image.region.as_deref(), image.account.as_deref());
        let place = if place.is_empty() { place } else { format!(" in {place}") };
        let what = format!("{} {} ({}){place}", image.key, image.version, image.id);
        match inventory.platform.retire(run, &inventory.target.published, image).await {
            Ok(()) if as_json => {}
            Ok(()) => host.say(&format!("Deleted {what}\n")),
            Err(error) => {
                run.warn(
                    format!("could not delete {what}: {}", sentence(&error)),
                    error.help_text().map(str::to_owned),
                );
                failed.push((image.id.clone(), sentence(&error)));
            }
        }
    }
    if as_json {
        let why =
            |id: &str| failed.iter().find(|(failed, _)| failed == id).map(|(_, why)| format!("not deleted: {why}"));
        host.json(&states(&chosen, |id| why(id).unwrap_or_else(|| "deleted".to_owned()))?, false);
    }
    Ok(if failed.is_empty() { 0 } else { UNCLEAN })
}

fn states(chosen: &[Listed], state: impl Fn(&str) -> String) -> Result<Value> {
    let images = chosen.iter().map(|listed| {
        let mut value = as_value(listed)?;
        value["state"] = json!(state(&listed.image.id));
        Ok(value)
    });
    Ok(json!({"format": 1, "images": images.collect::<Result<Vec<Value>>>()?}))
}

/// # Errors
/// When a chosen image is or may be in use, or an image that is not chosen is built on it.
fn refuse_used(chosen: &[Listed], all: &[Listed]) -> Result<()> {
    let ids: BTreeSet<&str> = chosen.iter().map(|listed| listed.image.id.as_str()).collect();
    let mut reasons = Vec::new();
    for Listed { image, usage } in chosen {
        let mut users: Vec<String> = match usage {
            Some(Usage::By(users)) => users.clone(),
            Some(Usage::Unknown(why)) => vec![format!("it could not be determined who uses it: {why}")],
            None => Vec::new(),
        };
        let children = all
            .iter()
            .map(|listed| &listed.image)
            .filter(|child| child.tags.get(tags::SOURCE) == Some(&image.id) && !ids.contains(child.id.as_str()));
        users.extend(children.map(|child| format!("{} {} ({}) is built on it", child.key, child.version, child.id)));
        if !users.is_empty() {
            reasons.push(format!("{} {} ({}): {}", image.key, image.version, image.id, users.join(", ")));
        }
    }
    match reasons.as_slice() {
        [] => Ok(()),
        reasons => Err(Error::preflight(format!("images in use are not deleted: {}", reasons.join("; ")))
            .help("Nothing was deleted. Remove what uses them first.")),
    }
}
