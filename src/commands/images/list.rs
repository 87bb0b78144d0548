//! `ami-bake images`

use ami_bake_core::Result;
use ami_bake_core::platform::{ImageQuery, ImageRecord, Listed};
use clap::Subcommand;
use serde_json::{Value, json};

use super::rows::{as_table, as_value};
use super::{export, remove, show};
use crate::args::TargetArgs;
use crate::program::Program;
use crate::report::Show;
use crate::session::{Session, Settings, target};

/// List images made by ami-bake
///
/// With a manifest: the images of its namespace, in every region and account where it publishes them. Without one: all
/// images of the account and region, or of this machine. On AWS the list also shows what uses an image: instances,
/// launch templates, Auto Scaling groups and parameters.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  ami-bake images
  ami-bake images --image web --json | jq -r '.images[-1].id'
  ami-bake images --platform local
  ami-bake images show web
  ami-bake images export web@^1 web.oci
  ami-bake images rm web@1.4.0 --yes"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    target: TargetArgs,

    /// Print the images as JSON, oldest version first
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Show(show::Args),
    Export(export::Args),
    Rm(remove::Args),
}

pub(crate) async fn run(mut args: Args, program: &Program) -> Result<u8> {
    match args.command.take() {
        Some(Command::Show(args)) => return show::run(args, program).await,
        Some(Command::Export(args)) => return export::run(args, program).await,
        Some(Command::Rm(args)) => return remove::run(args, program).await,
        None => {}
    }
    let host = program.host.as_ref();
    let selected = args.target.manifest.image.clone();
    let target = target(program, &args.target.manifest, args.target.platform)?;
    let session = Session::begin(Settings::reading(Show::Warnings), &program.host)?;
    let images = async {
        let platform = target.connect(program, &session.run).await?;
        let query = ImageQuery { namespace: target.namespace.clone(), key: None, owner: None };
        let listed = platform.inventory(&session.run, &query, &target.published);
        session.run.until_cancelled(listed).await?
    };
    let mut images = match images.await {
        Ok(images) => images,
        Err(error) => return session.fail(error).await,
    };
    images.retain(|listed| is_selected(&listed.image, &selected));
    // A stable sort: regions stay in the manifest's order.
    images.sort_by(|Listed { image: a, .. }, Listed { image: b, .. }| {
        (&a.namespace, &a.key, &a.version).cmp(&(&b.namespace, &b.key, &b.version))
    });
    if args.json {
        let images = images.iter().map(as_value).collect::<Result<Vec<Value>>>()?;
        host.json(&json!({"format": 1, "images": images}), false);
    } else if images.is_empty() {
        host.say("No images found.\n");
    } else {
        host.data(&as_table(&images, session.run.clock().now(), host.ui().paint_data));
    }
    Ok(session.end(0).await)
}

fn is_selected(image: &ImageRecord, names: &[String]) -> bool {
    names.is_empty() || names.iter().any(|name| *name == image.key.image || *name == image.key.to_string())
}
