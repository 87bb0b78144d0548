//! `ami-bake images show`

use std::fmt::Write as _;

use ami_bake_core::Result;
use ami_bake_core::image_name::ImageName;
use ami_bake_core::platform::{Listed, Usage};
use serde_json::{Value, json};

use super::inventory::Inventory;
use super::rows::as_value;
use crate::args::TargetArgs;
use crate::program::Program;
use crate::report::Show;
use crate::report::text::region;
use crate::session::{Session, Settings};

/// Show everything that is known about a version of an image
///
/// Its IDs in every region and account, its source, tests and digest, what uses it, and all its tags.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake images show web
  ami-bake images show web@^1 --json | jq -r '.images[].tags'")]
pub(super) struct Args {
    /// Image to show: IMAGE for the highest version, IMAGE@VERSION, IMAGE@RANGE, NAME/IMAGE/VERSION or an ID
    #[arg(value_name = "IMAGE")]
    name: String,

    #[command(flatten)]
    target: TargetArgs,

    /// Print the images as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, program: &Program) -> Result<u8> {
    let name = ImageName::parse(&args.name)?;
    let session = Session::begin(Settings::reading(Show::Warnings), &program.host)?;
    let found = match Inventory::look_up(program, &session.run, args.target).await {
        Ok(inventory) => inventory.named(&name),
        Err(error) => Err(error),
    };
    let images = match found {
        Ok(images) => images,
        Err(error) => return session.fail(error).await,
    };
    let host = program.host.as_ref();
    if args.json {
        let images = images.iter().map(as_value).collect::<Result<Vec<Value>>>()?;
        host.json(&json!({"format": 1, "images": images}), false);
    } else {
        host.data(&images.iter().map(as_text).collect::<Vec<_>>().join("\n"));
    }
    Ok(session.end(0).await)
}

/// Renders an image: a line for each fact, then the tags.
fn as_text(listed: &Listed) -> String {
    let image = &listed.image;
    let time = |time: Option<jiff::Timestamp>| time.map(|time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
    let state = match (image.available, image.tested) {
        (false, _) => "pending".to_owned(),
        (true, None) => "untested".to_owned(),
        (true, Some(_)) => {
            let how = if image.tested_without_login() { ", without a login" } else { "" };
            format!("tested {}{how}", time(image.tested).unwrap_or_default())
        }
    };
    let usage = listed.usage.as_ref().map(|usage| match usage {
        Usage::By(users) if users.is_empty() => "nothing".to_owned(),
        Usage::By(users) => users.join(", "),
        Usage::Unknown(why) => format!("unknown: {why}"),
    });
    let place = region(image.region.as_deref(), image.account.as_deref());
    let lines = [
        ("id", Some(image.id.clone())),
        ("region", Some(place).filter(|place| !place.is_empty())),
        ("name", Some(image.name.clone())),
        ("state", Some(state)),
        ("created", time(image.created)),
        ("architecture", image.architecture.map(|one| one.as_str().to_owned())),
        ("digest", Some(image.digest.as_str().to_owned())),
        ("parts", Some(image.parts.join(", ")).filter(|parts| !parts.is_empty())),
        ("used by", usage),
    ];
    let mut text = format!("{} {}\n", image.key, image.version);
    for (name, value) in lines {
        if let Some(value) = value {
            let _ = writeln!(text, "  {name:<13} {value}");
        }
    }
    if !image.tags.is_empty() {
        text.push_str("  tags\n");
    }
    for (key, value) in &image.tags {
        let _ = writeln!(text, "    {key} = {value}");
    }
    text
}
