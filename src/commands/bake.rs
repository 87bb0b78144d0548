//! `ami-bake bake`

use std::path::PathBuf;

use ami_bake_core::Result;
use ami_bake_core::engine::{self, Options};
use ami_bake_core::platform::Keep;
use ami_bake_core::version::Bump;
use clap::ValueEnum;
use semver::Version;

use crate::cli::{ManifestArgs, PlaceArgs};
use crate::commands::plan;
use crate::facts::Facts;
use crate::session::{Parts, Session, Show, load};
use crate::ui::Ui;

/// Bake images: build, capture, test, publish
///
/// Every image that changed since it was last published is built on a machine of its own, captured, booted on a fresh
/// machine, tested there, and registered under its version. What did not change is not baked again. Everything that was
/// made on the way is taken away again, also after a failure and after Ctrl-C.
///
/// What came of it is written to bake-report.json in the working directory.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake bake
  ami-bake bake images.yml --image web --set nginx=1.26
  ami-bake bake --platform local                 the same steps in a sandbox on this machine
  ami-bake bake --environment production --image-version 2.0.0
  ami-bake bake --until validate                 build and look, make no image
  ami-bake bake --keep-on-failure                leave a failed machine on, and its key here
  ami-bake bake --json | jq -c 'select(.event[\"image-finished\"])'")]
pub(crate) struct Args {
    #[command(flatten)]
    manifest: ManifestArgs,

    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    version: VersionArgs,

    /// Show what would be baked and why, and create nothing (the same as `ami-bake plan`)
    #[arg(long, conflicts_with_all = ["until", "keep_on_failure"])]
    dry_run: bool,

    /// End after this stage: build and validate, and make no image
    #[arg(long, value_enum, value_name = "STAGE")]
    until: Option<Until>,

    /// When a machine fails, keep it for two hours and write its key into FOLDER (default: the working directory)
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, require_equals = true, default_missing_value = ".")]
    keep_on_failure: Option<PathBuf>,

    /// A public SSH key, as OpenSSH writes it, that is let into a machine that is kept
    #[arg(long, value_name = "KEY", requires = "keep_on_failure", value_parser = public_key)]
    debug_key: Option<String>,

    /// Print every event as a line of JSON instead of text for people
    #[arg(long)]
    json: bool,
}

/// Which version images get, and whether they are baked at all.
#[derive(Debug, clap::Args)]
pub(crate) struct VersionArgs {
    /// Give all images this version, whatever the manifest says; IMAGE=VERSION gives it to one, and may be repeated
    #[arg(long, value_name = "[IMAGE=]VERSION", value_parser = one_version)]
    image_version: Vec<(Option<String>, Version)>,

    /// Which part of the last version `version: auto` raises
    ///
    /// Without it: what a label of the pull request says (`major`, `bump:minor` …), else patch.
    #[arg(long, value_enum, value_name = "PART")]
    bump: Option<Part>,

    /// Bake even when nothing changed
    #[arg(long)]
    force: bool,
}

impl VersionArgs {
    /// The engine's options of these flags, where the run comes from `facts`.
    pub(crate) fn options(&self, facts: &Facts) -> Options {
        Options {
            force: self.force,
            image_version: self.image_version.iter().rfind(|(image, _)| image.is_none()).map(|(_, all)| all.clone()),
            image_versions: self.image_version.iter().cloned().filter_map(|(image, one)| Some((image?, one))).collect(),
            bump: match self.bump {
                Some(Part::Major) => Bump::Major,
                Some(Part::Minor) => Bump::Minor,
                Some(Part::Patch) => Bump::Patch,
                None => facts.bump.unwrap_or_default(),
            },
            context: facts.context.clone(),
            ..Options::default()
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Part {
    /// 1.2.3 becomes 2.0.0
    Major,
    /// 1.2.3 becomes 1.3.0
    Minor,
    /// 1.2.3 becomes 1.2.4
    Patch,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Until {
    /// The last stage on the build machine before the capture
    Validate,
}

/// A version, of all images or of the one before the `=`.
fn one_version(text: &str) -> Result<(Option<String>, Version), String> {
    match text.split_once('=') {
        Some((image, text)) => Ok((Some(image.trim().to_owned()), version(text.trim())?)),
        None => Ok((None, version(text)?)),
    }
}

/// One line of an authorized_keys file, without options: those come from whoever may log in there.
fn public_key(text: &str) -> Result<String, String> {
    let text = text.trim();
    let known = ["ssh-ed25519 ", "ssh-rsa ", "ecdsa-sha2-", "sk-ssh-ed25519@openssh.com ", "sk-ecdsa-sha2-"];
    if text.lines().count() == 1 && known.iter().any(|kind| text.starts_with(kind)) {
        return Ok(text.to_owned());
    }
    Err("expected a public key such as the one line of ~/.ssh/id_ed25519.pub".to_owned())
}

pub(super) fn version(text: &str) -> Result<Version, String> {
    let text = text.strip_prefix('v').unwrap_or(text);
    Version::parse(text).map_err(|error| format!("{error}; expected a semantic version such as 1.2.3"))
}

pub(crate) async fn run(args: Args, ui: Ui) -> Result<u8> {
    if args.dry_run {
        return plan::plan(&args.manifest, args.place, &args.version, args.json, false, ui).await;
    }
    let loaded = load(&args.manifest, args.place.region.as_deref(), false)?;
    loaded.show(ui);
    let Some(manifest) = loaded.manifest() else { return Ok(loaded.exit_code()) };
    let session = Session::begin(
        Parts {
            show: if args.json { Show::Events } else { Show::All(loaded.explain(ui)) },
            creates: true,
            // The working directory, under the name that people know it by.
            report: Some(PathBuf::new()),
            origin: loaded.facts().origin(),
            secrets: loaded.secrets()?,
        },
        ui,
    )?;
    let options = Options {
        until_validate: args.until.is_some(),
        keep_on_failure: args.keep_on_failure.map(|folder| Keep { folder, key: args.debug_key }),
        ..args.version.options(loaded.facts())
    };
    let code = match loaded.context(manifest, args.place, &session.run).await {
        Ok(context) => engine::bake(&session.run, &context, &options).await,
        Err(error) => return session.fail(error).await,
    };
    Ok(session.end(code).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_may_carry_its_v() {
        assert_eq!(version("v1.2.3"), Ok(Version::new(1, 2, 3)));
        assert!(version("1.2").unwrap_err().contains("expected a semantic version"));
        assert_eq!(one_version("web-arm64=v1.2.3"), Ok((Some("web-arm64".to_owned()), Version::new(1, 2, 3))));
        assert!(one_version("web=").is_err());
    }
}
