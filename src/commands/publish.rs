//! `ami-bake publish`, `ami-bake deploy` and `ami-bake promote`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ami_bake_core::engine::{self, Chosen, Options, Work};
use ami_bake_core::plan::ImageKey;
use ami_bake_core::report::{self, Report};
use ami_bake_core::{Error, Result};
use semver::Version;

use crate::cli::{ManifestArgs, PlaceArgs};
use crate::commands::bake::version;
use crate::session::{Parts, Session, Show, load};
use crate::ui::Ui;

/// Which images that were baked before.
#[derive(Debug, clap::Args)]
struct MadeArgs {
    /// The report of the bake that made the images
    #[arg(long, value_name = "FILE", required_unless_present = "image_version", conflicts_with = "image_version")]
    report: Option<PathBuf>,

    /// The version of the images
    #[arg(long, value_name = "VERSION", value_parser = version)]
    image_version: Option<Version>,
}

/// Publish images that are baked and tested: finish what a bake left undone
///
/// Which images is in a bake's report, or said by --image-version; where they go is in the manifest. What is done already
/// is looked up and not repeated, so that this can be run again until it succeeds.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake publish --report bake-report.json
  ami-bake publish --image-version 1.4.0 --image web")]
pub(crate) struct Args {
    #[command(flatten)]
    manifest: ManifestArgs,

    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    made: MadeArgs,

    /// Let parameters move back to an older version
    #[arg(long)]
    force: bool,

    /// Print every event as a line of JSON instead of text for people
    #[arg(long)]
    json: bool,
}

/// Move launch templates and Auto Scaling groups to images that are baked and tested
///
/// Which images is in a bake's report, or said by --image-version; what is moved is in the manifest's `deploy`. Watches
/// until the image is at work, and goes back when it does not get there. What is done already is not repeated, so that
/// this can be run again after a deployment that was cut off. What came of it is written into the report.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake deploy --report bake-report.json
  ami-bake deploy --image-version 1.4.0 --environment production")]
pub(crate) struct DeployArgs {
    #[command(flatten)]
    manifest: ManifestArgs,

    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    made: MadeArgs,

    /// Take over a launch template's default version that somebody else moved meanwhile
    #[arg(long)]
    force: bool,

    /// Print every event as a line of JSON instead of text for people
    #[arg(long)]
    json: bool,
}

/// Publish and deploy a tested version as an environment of the manifest asks for
///
/// The image stays what it is: only where it goes, who may launch it, what points at it and what runs with it is that
/// environment's.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  ami-bake promote 1.4.0 --environment production")]
pub(crate) struct PromoteArgs {
    /// The version of the images
    #[arg(value_name = "VERSION", value_parser = version)]
    version: Version,

    #[command(flatten)]
    manifest: ManifestArgs,

    #[command(flatten)]
    place: PlaceArgs,

    /// Let parameters move back to an older version, and take over a default that somebody else moved
    #[arg(long)]
    force: bool,

    /// Print every event as a line of JSON instead of text for people
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, ui: Ui) -> Result<u8> {
    let mut args = args;
    let chosen = args.made.choose(&mut args.manifest)?;
    let ask = Ask { chosen, work: Work::Publish, amends: None, force: args.force, json: args.json };
    carry_out(&args.manifest, args.place, &ask, ui).await
}

pub(crate) async fn deploy(args: DeployArgs, ui: Ui) -> Result<u8> {
    let mut args = args;
    let chosen = args.made.choose(&mut args.manifest)?;
    let ask = Ask { chosen, work: Work::Deploy, amends: args.made.report, force: args.force, json: args.json };
    carry_out(&args.manifest, args.place, &ask, ui).await
}

pub(crate) async fn promote(args: PromoteArgs, ui: Ui) -> Result<u8> {
    if args.manifest.environment.is_none() {
        return Err(Error::usage("say where the version is promoted to")
            .help("Give --environment with one of the manifest's `environments`."));
    }
    let chosen = Chosen::Version(args.version);
    let ask = Ask { chosen, work: Work::Promote, amends: None, force: args.force, json: args.json };
    carry_out(&args.manifest, args.place, &ask, ui).await
}

/// Which images, and what is done with them.
struct Ask {
    chosen: Chosen,
    work: Work,
    /// The report that gets what was deployed.
    amends: Option<PathBuf>,
    force: bool,
    json: bool,
}

impl MadeArgs {
    /// The images; those of a report are on the platform that made them, whatever the manifest's own is.
    fn choose(&self, manifest: &mut ManifestArgs) -> Result<Chosen> {
        match (&self.report, &self.image_version) {
            (Some(file), _) => {
                let read = report::read(file)?;
                let platform = manifest.platform.get_or_insert_with(|| read.platform.clone());
                if *platform != read.platform {
                    return Err(Error::usage(format!(
                        "the images of the report {} are on the platform {}, not on {platform}",
                        file.display(),
                        read.platform
                    ))
                    .help("Leave out --platform: the report's own is taken."));
                }
                Ok(Chosen::Ids(made(file, read)?))
            }
            (None, Some(version)) => Ok(Chosen::Version(version.clone())),
            (None, None) => Err(Error::usage("say which images: --report or --image-version")),
        }
    }
}

/// The images that a report has.
fn made(file: &Path, read: Report) -> Result<BTreeMap<ImageKey, String>> {
    let images: BTreeMap<ImageKey, String> =
        read.images.into_iter().filter_map(|image| Some((image.key, image.image?.id))).collect();
    if images.is_empty() {
        return Err(
            Error::usage(format!("the report {} has no image", file.display())).help("It is of a run that made none.")
        );
    }
    Ok(images)
}

async fn carry_out(manifest: &ManifestArgs, place: PlaceArgs, ask: &Ask, ui: Ui) -> Result<u8> {
    let loaded = load(manifest, place.region.as_deref(), false)?;
    loaded.show(ui);
    let Some(manifest) = loaded.manifest() else { return Ok(loaded.exit_code()) };
    let parts = Parts {
        show: if ask.json { Show::Events } else { Show::All(loaded.explain(ui)) },
        creates: true,
        // There is the report of the bake that made the images.
        report: None,
        origin: loaded.facts().origin(),
        secrets: loaded.secrets()?,
    };
    let session = Session::begin(parts, ui)?;
    let context = match loaded.context(manifest, place, &session.run).await {
        Ok(context) => context,
        Err(error) => return session.fail(error).await,
    };
    let options = Options { force: ask.force, ..Options::default() };
    let code = engine::publish(&session.run, &context, &options, &ask.chosen, ask.work).await;
    let (code, made) = session.end_with_report(code).await;
    match &ask.amends {
        Some(file) => amend(file, &made).map(|()| code),
        None => Ok(code),
    }
}

/// Writes what was deployed into the report that named the images: it is what later commands and people read.
fn amend(file: &Path, made: &Report) -> Result<()> {
    let mut whole = report::read(file)?;
    let before = whole.clone();
    whole.amend(made);
    if whole == before { Ok(()) } else { report::write_to(&whole, file) }
}
