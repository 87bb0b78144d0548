//! `ami-bake images`, `ami-bake images export`

use std::path::PathBuf;

use ami_bake_core::platform::{ImageQuery, ImageRecord, Listed, Usage};
use ami_bake_core::{Error, Result};
use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::{ManifestArgs, PlaceArgs};
use crate::report::place;
use crate::session::{Parts, Session, Show, target};
use crate::table::{Cell, table};
use crate::ui::{Paint, Ui};
use crate::wire;

/// List the images that ami-bake made
///
/// With a manifest: the images of its namespace, in every region and account where it publishes them. Without one: all of
/// the account and region, or of this machine. On AWS each with who uses it: instances, launch templates, Auto Scaling
/// groups, parameters.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  ami-bake images
  ami-bake images --image web --json | jq -r '.images[-1].id'
  ami-bake images --platform local
  ami-bake images export web@^1 web.oci"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,

    #[command(flatten)]
    manifest: ManifestArgs,

    #[command(flatten)]
    place: PlaceArgs,

    /// Print the images as JSON, the oldest version first
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Export(ExportArgs),
}

/// Write an image of the local platform to a file for others
///
/// As an OCI image layout its layers stay layers, and skopeo, podman, docker and umoci read it; as a tarball or an ext4 disk
/// it is the whole root file system. An existing file is never overwritten, and a broken export leaves nothing.
///
/// An image over `local: host` lies over this machine's own system, and that is exported with it, as far as it is the
/// system: programs, settings that everybody may read, and the package managers' databases. Home directories, keys,
/// password hashes, logs, data, everything below /opt and /srv, what is mounted, and this machine's names, proxies and
/// credentials of known programs are left out. What the image's own steps made is always there.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake images export web web.oci                       the highest version, as an OCI image layout
  ami-bake images export shop/web/1.2.0 web.tar.gz
  ami-bake images export web@~1.2 web.img
  skopeo copy oci:web.oci docker-daemon:shop/web:1.2.0")]
struct ExportArgs {
    /// The image: its id, NAME/IMAGE/VERSION, or IMAGE@RANGE for the highest tested version in a range
    #[arg(value_name = "IMAGE")]
    image: String,

    /// Where it goes: a folder or .oci.tar for an OCI image layout, .tar or .tar.gz for a root file system, .img or .raw
    /// for an ext4 disk
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The format, where the ending of FILE doesn't say it
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,

    /// The folder of the local platform's images
    #[arg(long, value_name = "FOLDER")]
    store: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// An OCI image layout: a folder, or a tar file where FILE ends in .tar
    Oci,
    /// The root file system in a tar file
    Rootfs,
    /// The root file system on a raw ext4 disk
    Disk,
}

async fn export(args: ExportArgs, ui: Ui) -> Result<u8> {
    let session = Session::begin(Parts::reading(Show::Warnings), ui)?;
    let format = args.format.and_then(|format| format.to_possible_value()).map(|value| value.get_name().to_owned());
    let wanted = wire::Export { image: args.image, file: args.file, format, store: args.store };
    match wire::export(&session.run, &wanted).await {
        Ok(exported) => {
            ui.say(&exported);
            Ok(session.end(0).await)
        }
        Err(error) => session.fail(error).await,
    }
}

pub(crate) async fn run(mut args: Args, ui: Ui) -> Result<u8> {
    if let Some(Verb::Export(args)) = args.verb.take() {
        return export(args, ui).await;
    }
    let target = target(&args.manifest, args.place, ui)?;
    let session = Session::begin(Parts::reading(Show::Warnings), ui)?;
    let images = async {
        let platform = target.platform(&session.run).await?;
        let query = ImageQuery { namespace: target.namespace.clone(), key: None, owner: None };
        let listed = platform.inventory(&session.run, &query, &target.published);
        session.run.until_cancelled(listed).await?
    };
    let mut images = match images.await {
        Ok(images) => images,
        Err(error) => return session.fail(error).await,
    };
    images.retain(|listed| selected(&listed.image, &args.manifest.image));
    // Places in the order of the manifest below each version.
    images.sort_by(|Listed { image: a, .. }, Listed { image: b, .. }| {
        (&a.namespace, &a.key, &a.version).cmp(&(&b.namespace, &b.key, &b.version))
    });
    if args.json {
        let images = images.iter().map(as_value).collect::<Result<Vec<Value>>>()?;
        ui.data(&format!("{:#}\n", json!({"format": 1, "images": images})));
    } else if images.is_empty() {
        ui.say("There is no image of ami-bake here yet.\n");
    } else {
        ui.data(&as_table(&images, session.run.clock().now(), ui.paint_data));
    }
    Ok(session.end(0).await)
}

/// The image, with `used-by` where the platform can tell: a list, or null where it could not be learnt.
fn as_value(listed: &Listed) -> Result<Value> {
    let mut value = serde_json::to_value(&listed.image)
        .map_err(|error| Error::internal("write the images as JSON").because(error))?;
    match &listed.usage {
        Some(Usage::By(by)) => value["used-by"] = json!(by),
        Some(Usage::Unknown(_)) => value["used-by"] = Value::Null,
        None => {}
    }
    Ok(value)
}

fn selected(image: &ImageRecord, wanted: &[String]) -> bool {
    wanted.is_empty() || wanted.iter().any(|name| *name == image.key.image || *name == image.key.to_string())
}

/// A column that a platform has nothing for is left out.
fn as_table(images: &[Listed], now: Timestamp, paint: Paint) -> String {
    let (places, uses) =
        (images.iter().any(|listed| listed.image.region.is_some()), images.iter().any(|listed| listed.usage.is_some()));
    let mut head = vec!["name", "image", "version", "id"];
    head.extend(places.then_some("region"));
    head.extend(["state", "digest", "age"]);
    head.extend(uses.then_some("in use by"));
    let row = |listed: &Listed| {
        let image = &listed.image;
        let mut row = vec![
            Cell::new(&image.namespace),
            Cell::new(image.key.to_string()).look(Paint::bold),
            Cell::new(image.version.to_string()),
            Cell::new(&image.id),
        ];
        row.extend(places.then(|| place(image.region.as_deref(), image.account.as_deref()).into()));
        let age = image.created.map(|at| age(at, now)).unwrap_or_default();
        row.extend([state(image), Cell::new(image.digest.short()), age.into()]);
        row.extend(uses.then(|| match &listed.usage {
            Some(Usage::By(by)) => Cell::new(by.join(", ")),
            Some(Usage::Unknown(_)) | None => Cell::new("not known").look(Paint::odd),
        }));
        row
    };
    table(&head, &images.iter().map(row).collect::<Vec<_>>(), paint)
}

fn state(image: &ImageRecord) -> Cell {
    match (image.available, image.tested) {
        (false, _) => Cell::new("pending").look(Paint::odd),
        (true, None) => Cell::new("untested").look(Paint::odd),
        (true, Some(_)) => Cell::new("tested").look(Paint::good),
    }
}

/// How old something is, to the unit that matters: `40 min`, `7 h`, `12 d`.
fn age(at: Timestamp, now: Timestamp) -> String {
    let minutes = now.duration_since(at).as_mins().max(0);
    match minutes {
        0..120 => format!("{minutes} min"),
        120..2880 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_one_unit() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let since = |text: &str| age(text.parse().unwrap(), now);
        assert_eq!(since("2026-11-21T11:20:30Z"), "39 min");
        assert_eq!(since("2026-11-21T03:59:00Z"), "8 h");
        assert_eq!(since("2026-10-21T12:00:00Z"), "31 d");
        assert_eq!(since("2026-11-21T12:00:05Z"), "0 min", "a clock that is ahead");
    }
}
