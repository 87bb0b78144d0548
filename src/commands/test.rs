//! The command `ami-bake test`.

use std::sync::Arc;

use ami_bake_core::engine::{self, Options};
use ami_bake_core::plan::ImageKey;
use ami_bake_core::{Error, Result};
use ami_bake_manifest::Task;

use crate::args::{EventArgs, KeepArgs, LogArgs, TargetArgs};
use crate::program::Program;
use crate::session::{Purpose, Session, load};

/// Run a manifest's tests on an existing image
///
/// Launches a fresh machine from the image, runs the tests of the manifest's image on it, and terminates it. The image
/// is not changed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake test ami-0123456789abcdef0 --image web
  ami-bake test ami-0123456789abcdef0 tests.yml --keep-on-failure=keys")]
pub(crate) struct Args {
    /// ID of the image to test
    #[arg(value_name = "ID")]
    id: String,

    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    keep: KeepArgs,

    #[command(flatten)]
    events: EventArgs,

    #[command(flatten)]
    logs: LogArgs,
}

pub(crate) async fn run(args: Args, program: &Program) -> Result<u8> {
    let Args { id, target, keep, events, logs } = args;
    let loaded = load(program, &target.manifest, target.platform.region.as_deref(), Purpose::Existing)?;
    loaded.show(program.host.as_ref());
    let Some(manifest) = loaded.manifest() else { return Ok(loaded.exit_code()) };
    let mut settings = loaded.creating(Task::Bake, program.host.as_ref(), events.json)?;
    settings.logs = logs.log_dir;
    let session = Session::begin(settings, &program.host)?;
    let context = match loaded.context(program, manifest, target.platform, &session.run).await {
        Ok(context) => context,
        Err(error) => return session.fail(error).await,
    };
    let key = match one(Arc::clone(&context.recipe).drafts().into_iter().map(|draft| draft.variant.key).collect()) {
        Ok(key) => key,
        Err(error) => return session.fail(error).await,
    };
    let options = Options { keep_on_failure: keep.keep_on_failure.map(Into::into), ..Options::default() };
    let code = engine::test(&session.run, &context, &options, &key, &id).await;
    Ok(session.end(code).await)
}

/// The single image of the manifest whose tests are run.
fn one(mut keys: Vec<ImageKey>) -> Result<ImageKey> {
    match (keys.pop(), keys.as_slice()) {
        (Some(key), []) => Ok(key),
        (last, _) => {
            keys.extend(last);
            let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
            Err(Error::usage("the manifest has several images: select the one whose tests to run")
                .help(format!("Use --image with one of {}.", names.join(", "))))
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
        assert_eq!(error.help_text(), Some("Use --image with one of base, web."));
    }
}
