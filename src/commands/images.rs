//! The commands `ami-bake images` and `ami-bake images export`.

use std::path::PathBuf;

use ami_bake_core::platform::{ImageQuery, ImageRecord, Listed, Usage};
use ami_bake_core::{Error, Result};
use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::args::{StoreArgs, TargetArgs};
use crate::program::Program;
use crate::report::Show;
use crate::report::text::region;
use crate::session::{Session, Settings, target};
use crate::table::{Cell, table};
use crate::ui::Paint;

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
  ami-bake images export web@^1 web.oci"
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
    Export(ExportArgs),
}

/// Export an image of the local platform to a file
///
/// An OCI image layout keeps the image's layers, and skopeo, podman, docker and umoci can read it. A tarball or an ext4
/// disk contains the whole root file system. Existing files are never overwritten, and a failed export leaves no files.
///
/// The export of an image based on `local: host` includes this machine's own system: programs, world-readable settings,
/// and the databases of package managers. It leaves out home directories, keys, password hashes, logs, data, everything
/// in /opt and /srv, mounted file systems, and this machine's names, proxies and credentials of known programs.
/// Everything that the image's own steps created is always included.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake images export web web.oci                       highest version, as an OCI image layout
  ami-bake images export shop/web/1.2.0 web.tar.gz
  ami-bake images export web@~1.2 web.img
  skopeo copy oci:web.oci docker-daemon:shop/web:1.2.0")]
struct ExportArgs {
    /// Image to export: its ID, NAME/IMAGE/VERSION, or IMAGE@RANGE for the highest tested version in a range
    #[arg(value_name = "IMAGE")]
    image: String,

    /// File to create: a folder or .oci.tar for an OCI image layout, .tar or .tar.gz for a root file system, .img or
    /// .raw for an ext4 disk
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Format of the export. Default: from the extension of FILE
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,

    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// An OCI image layout: a folder, or a tar file if FILE ends in .tar
    Oci,
    /// The root file system in a tar file
    Rootfs,
    /// The root file system on a raw ext4 disk
    Disk,
}

async fn export(args: ExportArgs, program: &Program) -> Result<u8> {
    let session = Session::begin(Settings::reading(Show::Warnings), &program.host)?;
    let format = args.format.and_then(|format| format.to_possible_value()).map(|value| value.get_name().to_owned());
    let exported = async {
        let local = program.platforms.get("local")?;
        local.export(&session.run, &args.image, &args.file, format.as_deref(), args.store).await
    };
    match exported.await {
        Ok(text) => {
            program.host.say(&text);
            Ok(session.end(0).await)
        }
        Err(error) => session.fail(error).await,
    }
}

pub(crate) async fn run(mut args: Args, program: &Program) -> Result<u8> {
    if let Some(Command::Export(args)) = args.command.take() {
        return export(args, program).await;
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

/// The image as JSON, with `used-by` if the platform knows its users: a list, or null when they could not be
/// determined.
fn as_value(listed: &Listed) -> Result<Value> {
    let mut value = serde_json::to_value(&listed.image)
        .map_err(|error| Error::internal("could not write the images as JSON").because(error))?;
    match &listed.usage {
        Some(Usage::By(by)) => value["used-by"] = json!(by),
        Some(Usage::Unknown(_)) => value["used-by"] = Value::Null,
        None => {}
    }
    Ok(value)
}

fn is_selected(image: &ImageRecord, names: &[String]) -> bool {
    names.is_empty() || names.iter().any(|name| *name == image.key.image || *name == image.key.to_string())
}

/// The images as a table. Columns without data on the platform are left out.
fn as_table(images: &[Listed], now: Timestamp, paint: Paint) -> String {
    let (regions, uses) =
        (images.iter().any(|listed| listed.image.region.is_some()), images.iter().any(|listed| listed.usage.is_some()));
    let mut head = vec!["name", "image", "version", "id"];
    head.extend(regions.then_some("region"));
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
        row.extend(regions.then(|| region(image.region.as_deref(), image.account.as_deref()).into()));
        let age = image.created.map(|at| age(at, now)).unwrap_or_default();
        row.extend([state(image), Cell::new(image.digest.short()), age.into()]);
        row.extend(uses.then(|| match &listed.usage {
            Some(Usage::By(by)) => Cell::new(by.join(", ")),
            Some(Usage::Unknown(_)) | None => Cell::new("unknown").look(Paint::odd),
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

/// Formats an age in its largest unit: `40 min`, `7 h`, `12 d`.
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
    fn an_age_has_one_unit() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let since = |text: &str| age(text.parse().unwrap(), now);
        assert_eq!(since("2026-11-21T11:20:30Z"), "39 min");
        assert_eq!(since("2026-11-21T03:59:00Z"), "8 h");
        assert_eq!(since("2026-10-21T12:00:00Z"), "31 d");
        assert_eq!(since("2026-11-21T12:00:05Z"), "0 min", "a clock that is ahead");
    }
}
