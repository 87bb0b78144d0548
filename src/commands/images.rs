//! `ami-bake images`

use ami_bake_core::platform::{ImageQuery, ImageRecord};
use ami_bake_core::{Error, Result};
use serde_json::json;

use crate::cli::{ManifestArgs, PlaceArgs};
use crate::session::{Parts, Session, Show, target};
use crate::table::{Cell, table};
use crate::ui::{Paint, Ui};

/// List the images that ami-bake made
///
/// With a manifest: the images of its namespace. Without one: all of the account and region, or of this machine.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake images
  ami-bake images --image web --json | jq -r '.images[-1].id'
  ami-bake images --platform local")]
pub(crate) struct Args {
    #[command(flatten)]
    manifest: ManifestArgs,

    #[command(flatten)]
    place: PlaceArgs,

    /// Print the images as JSON, the oldest version first
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, ui: Ui) -> Result<u8> {
    let target = target(&args.manifest, args.place, ui)?;
    let session = Session::begin(Parts::reading(Show::Warnings), ui)?;
    let images = async {
        let platform = target.platform(&session.run).await?;
        let query = ImageQuery { namespace: target.namespace.clone(), key: None, owner: None };
        session.run.until_cancelled(platform.images(&session.run, &query)).await?
    };
    let mut images = match images.await {
        Ok(images) => images,
        Err(error) => return session.fail(error).await,
    };
    images.retain(|image| selected(image, &args.manifest.image));
    images.sort_by(|a, b| (&a.namespace, &a.key, &a.version).cmp(&(&b.namespace, &b.key, &b.version)));
    if args.json {
        let text = serde_json::to_string_pretty(&json!({"format": 1, "images": images}))
            .map_err(|error| Error::internal("write the images as JSON").because(error))?;
        ui.data(&format!("{text}\n"));
    } else if images.is_empty() {
        ui.say("There is no image of ami-bake here yet.\n");
    } else {
        let rows: Vec<Vec<Cell>> = images.iter().map(row).collect();
        let head = ["name", "image", "version", "id", "state", "digest", "created"];
        ui.data(&table(&head, &rows, ui.paint_data));
    }
    Ok(session.end(0).await)
}

fn selected(image: &ImageRecord, wanted: &[String]) -> bool {
    wanted.is_empty() || wanted.iter().any(|name| *name == image.key.image || *name == image.key.to_string())
}

fn row(image: &ImageRecord) -> Vec<Cell> {
    let state = match (image.available, image.tested) {
        (false, _) => Cell::new("pending").look(Paint::odd),
        (true, None) => Cell::new("untested").look(Paint::odd),
        (true, Some(_)) => Cell::new("tested").look(Paint::good),
    };
    let created = image.created.map(|at| at.strftime("%Y-%m-%d %H:%M").to_string()).unwrap_or_default();
    vec![
        Cell::new(&image.namespace),
        Cell::new(image.key.to_string()).look(Paint::bold),
        Cell::new(image.version.to_string()),
        Cell::new(&image.id),
        state,
        Cell::new(image.digest.short()),
        created.into(),
    ]
}
