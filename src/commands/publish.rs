//! The commands `ami-bake publish`, `ami-bake deploy` and `ami-bake promote`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ami_bake_core::engine::{self, Chosen, Options, VersionContext, Work};
use ami_bake_core::error::UNCLEAN;
use ami_bake_core::plan::ImageKey;
use ami_bake_core::report::{self, Report};
use ami_bake_core::{Error, Result};
use ami_bake_manifest::Task;
use semver::Version;

use crate::args::{EventArgs, ManifestArgs, TargetArgs, version};
use crate::error;
use crate::program::Program;
use crate::session::{Purpose, Session, load};

/// Selection of existing images: by report or by version.
#[derive(Debug, clap::Args)]
struct ImageSelection {
    /// Report of the bake that made the images
    #[arg(long, value_name = "FILE", required_unless_present = "image_version", conflicts_with = "image_version")]
    report: Option<PathBuf>,

    /// Version of the images
    #[arg(long, value_name = "VERSION", value_parser = version)]
    image_version: Option<Version>,
}

/// Publish images that were baked and tested
///
/// A bake publishes by itself: this finishes what a bake left undone. The images are those of a bake's report, or of a
/// version; the manifest says where they are published to. Steps that are already done are not repeated, so it is safe
/// to run again until it succeeds. The results are added to the report.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake publish --report bake-report.json
  ami-bake publish --image-version 1.4.0 --image web")]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    images: ImageSelection,

    /// Allow parameters to move back to an older version
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    events: EventArgs,
}

/// Deploy images that were baked and tested to launch templates and Auto Scaling groups
///
/// The images are those of a bake's report, or of a version; the manifest's `deploy` says where they are deployed to.
/// Waits until the new instances are healthy, and rolls back when they do not get there. Steps that are already done
/// are not repeated, so it is safe to run again after an interruption. The results are added to the report.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake deploy --report bake-report.json
  ami-bake deploy --image-version 1.4.0 --environment production")]
pub(crate) struct DeployArgs {
    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    images: ImageSelection,

    /// Replace a launch template's default version that was changed outside ami-bake
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    events: EventArgs,
}

/// Publish and deploy a tested version in an environment of the manifest
///
/// The image itself is not changed. The environment decides where it is published, who may launch it, which parameters
/// point to it, and where it is deployed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  ami-bake promote 1.4.0 --environment production")]
pub(crate) struct PromoteArgs {
    /// Version of the images
    #[arg(value_name = "VERSION", value_parser = version)]
    version: Version,

    #[command(flatten)]
    target: TargetArgs,

    /// Allow parameters to move back to an older version, and replace a default version that was changed outside
    /// ami-bake
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    events: EventArgs,
}

pub(crate) async fn run(args: Args, program: &Program) -> Result<u8> {
    let Args { mut target, images, force, events } = args;
    let chosen = images.choose(&mut target.manifest)?;
    let request = Request { chosen, work: Work::Publish, from: images.report, force, json: events.json };
    carry_out(program, target, &request).await
}

pub(crate) async fn deploy(args: DeployArgs, program: &Program) -> Result<u8> {
    let DeployArgs { mut target, images, force, events } = args;
    let chosen = images.choose(&mut target.manifest)?;
    let request = Request { chosen, work: Work::Deploy, from: images.report, force, json: events.json };
    carry_out(program, target, &request).await
}

pub(crate) async fn promote(args: PromoteArgs, program: &Program) -> Result<u8> {
    let PromoteArgs { version, target, force, events } = args;
    if target.manifest.environment.is_none() {
        return Err(Error::usage("--environment is required: it says where the version is promoted to")
            .help("Use one of the manifest's `environments`."));
    }
    let request =
        Request { chosen: Chosen::Version(version), work: Work::Promote, from: None, force, json: events.json };
    carry_out(program, target, &request).await
}

/// The selected images, and whether to publish or deploy them.
struct Request {
    chosen: Chosen,
    work: Work,
    /// The report that the images were read from, which the results are added to.
    from: Option<PathBuf>,
    force: bool,
    json: bool,
}

impl ImageSelection {
    /// The images. Those of a report are on the platform that made them, whichever platform the manifest names.
    fn choose(&self, manifest: &mut ManifestArgs) -> Result<Chosen> {
        match (&self.report, &self.image_version) {
            (Some(file), _) => {
                let read = report::read(file)?;
                let platform = manifest.platform.get_or_insert_with(|| read.platform.clone());
                if *platform != read.platform {
                    return Err(Error::usage(format!(
                        "the images of {} are on platform `{}`, not on `{platform}`",
                        file.display(),
                        read.platform
                    ))
                    .help("Remove --platform: the platform is taken from the report."));
                }
                Ok(Chosen::Ids(images_of(file, read)?))
            }
            (None, Some(version)) => Ok(Chosen::Version(version.clone())),
            (None, None) => Err(Error::usage("no images selected: use --report or --image-version")),
        }
    }
}

/// The images in a report.
fn images_of(file: &Path, read: Report) -> Result<BTreeMap<ImageKey, String>> {
    let images: BTreeMap<ImageKey, String> =
        read.images.into_iter().filter_map(|image| Some((image.key, image.image?.id))).collect();
    if images.is_empty() {
        return Err(Error::usage(format!("report {} contains no images", file.display()))
            .help("Use the report of a run that made an image."));
    }
    Ok(images)
}

async fn carry_out(program: &Program, target: TargetArgs, request: &Request) -> Result<u8> {
    let loaded = load(program, &target.manifest, target.platform.region.as_deref(), Purpose::Existing)?;
    loaded.show(program.host.as_ref());
    let Some(manifest) = loaded.manifest() else { return Ok(loaded.exit_code()) };
    if request.work != Work::Deploy {
        program.host.preflight(manifest, &VersionContext::Default).await?;
    }
    let mut settings = loaded.creating(Task::Publish, program.host.as_ref(), request.json)?;
    // Without a report to add to, the results are written as a report of their own.
    if request.from.is_none() {
        settings.report = Some(PathBuf::new());
    }
    let session = Session::begin(settings, &program.host)?;
    let context = match loaded.context(program, manifest, target.platform, &session.run).await {
        Ok(context) => context,
        Err(error) => return session.fail(error).await,
    };
    let options = Options { force: request.force, ..Options::default() };
    let code = engine::publish(&session.run, &context, &options, &request.chosen, request.work).await;
    let results = session.end_with_report(code).await;
    let code = results.exit_code.unwrap_or(code);
    let Some(file) = &request.from else { return Ok(code) };
    program.host.output("report", &file.display().to_string());
    match amend(file, &results) {
        // The images are published or deployed, even if the report can't be written.
        Err(error) if code == 0 => {
            program.host.say(&error::render(&error, program.host.ui().paint));
            Ok(UNCLEAN)
        }
        amended => amended.map(|()| code),
    }
}

/// Adds the results to the report that the images were read from, since later commands and people read that one.
fn amend(file: &Path, results: &Report) -> Result<()> {
    let mut whole = report::read(file)?;
    let before = whole.clone();
    whole.amend(results);
    if whole == before { Ok(()) } else { report::write_to(&whole, file) }
}
