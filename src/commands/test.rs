//! `ami-bake test`

use ami_bake_core::engine::{self, Options};
use ami_bake_core::plan::ImageKey;
use ami_bake_core::{Error, Result};

use crate::cli::{ManifestArgs, PlaceArgs};
use crate::session::{Parts, Session, Show, load};
use crate::ui::Ui;

/// Test an image that exists against a manifest's tests
///
/// The image is booted on a fresh machine, the test steps of the manifest's image run there, and the machine goes again.
/// Nothing about the image is changed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake test ami-0123456789abcdef0 --image web
  ami-bake test ami-0123456789abcdef0 tests.yml --keep-on-failure=keys")]
pub(crate) struct Args {
    /// The platform's id of the image to test
    #[arg(value_name = "ID")]
    id: String,

    #[command(flatten)]
    manifest: ManifestArgs,

    #[command(flatten)]
    place: PlaceArgs,

    /// When the test fails, keep the machine for two hours and write its key into FOLDER (default: the working directory)
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, require_equals = true, default_missing_value = ".")]
    keep_on_failure: Option<std::path::PathBuf>,

    /// Print every event as a line of JSON instead of text for people
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, ui: Ui) -> Result<u8> {
    let loaded = load(&args.manifest, args.place.region.as_deref(), false)?;
    loaded.show(ui);
    let Some(manifest) = loaded.manifest() else { return Ok(loaded.exit_code()) };
    let parts = Parts {
        show: if args.json { Show::Events } else { Show::All(loaded.explain(ui)) },
        creates: true,
        // The report of the bake that made the image stays what it is.
        report: None,
        origin: loaded.facts().origin(),
        secrets: loaded.secrets()?,
    };
    let session = Session::begin(parts, ui)?;
    let context = match loaded.context(manifest, args.place, &session.run).await {
        Ok(context) => context,
        Err(error) => return session.fail(error).await,
    };
    let key = match one(context.recipe.variants().into_iter().map(|variant| variant.key).collect()) {
        Ok(key) => key,
        Err(error) => return session.fail(error).await,
    };
    let options = Options { keep_on_failure: args.keep_on_failure.map(Into::into), ..Options::default() };
    let code = engine::test(&session.run, &context, &options, &key, &args.id).await;
    Ok(session.end(code).await)
}

/// The one image whose tests are meant.
fn one(mut keys: Vec<ImageKey>) -> Result<ImageKey> {
    match (keys.pop(), keys.as_slice()) {
        (Some(key), []) => Ok(key),
        (last, _) => {
            keys.extend(last);
            let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
            Err(Error::usage("choose the image whose tests are to run: the manifest has several")
                .help(format!("Give --image with one of {}.", names.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_images_need_a_choice() {
        assert_eq!(one(vec![ImageKey::new("web")]).unwrap(), ImageKey::new("web"));
        let error = one(vec![ImageKey::new("base"), ImageKey::new("web")]).unwrap_err();
        assert_eq!(error.help_text(), Some("Give --image with one of base, web."));
    }
}
