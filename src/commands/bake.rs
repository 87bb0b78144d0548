//! The command `ami-bake bake`.

use std::path::PathBuf;

use ami_bake_core::Result;
use ami_bake_core::engine::{self, Options};
use ami_bake_core::platform::Keep;
use ami_bake_manifest::Task;
use clap::ValueEnum;

use crate::args::{EventArgs, KeepArgs, LogArgs, TargetArgs, VersionArgs};
use crate::commands::plan;
use crate::program::Program;
use crate::session::{Session, ToBake, load_to_bake};

/// Bake images: build, capture, test, publish
///
/// Each image that changed since its last version is built on a separate machine, captured, tested on a fresh machine
/// launched from it, and registered under a version. Unchanged images are reused. Temporary resources are always
/// deleted, also after a failure or Ctrl-C.
///
/// The results are written to bake-report.json in the working directory.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake bake
  ami-bake bake images.yml --image web --set nginx=1.26
  ami-bake bake --platform local                 run the same steps in a sandbox on this machine
  ami-bake bake --environment production --image-version 2.0.0
  ami-bake bake --until validate                 build and validate, but capture no image
  ami-bake bake --keep-on-failure                keep a failed machine, and write its SSH key here
  ami-bake bake --log-dir logs                   write the complete output of each step to a file
  ami-bake bake --json | jq -c 'select(.event[\"image-finished\"])'")]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    version: VersionArgs,

    /// Show what would be baked and why, and create nothing (same as `ami-bake plan`)
    #[arg(long, conflicts_with_all = ["until", "keep_on_failure"])]
    dry_run: bool,

    /// Stop after this stage and capture no image
    #[arg(long, value_enum, value_name = "STAGE")]
    until: Option<Until>,

    #[command(flatten)]
    keep: KeepArgs,

    /// Public SSH key to authorize on a kept machine
    #[arg(long, value_name = "KEY", requires = "keep_on_failure", value_parser = public_key)]
    debug_key: Option<String>,

    #[command(flatten)]
    events: EventArgs,

    #[command(flatten)]
    logs: LogArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Until {
    /// The last stage on the build machine before the capture
    Validate,
}

/// Parses one line of an authorized_keys file. Options are not allowed, since whoever may log in could set them.
fn public_key(text: &str) -> Result<String, String> {
    let text = text.trim();
    let known = ["ssh-ed25519 ", "ssh-rsa ", "ecdsa-sha2-", "sk-ssh-ed25519@openssh.com ", "sk-ecdsa-sha2-"];
    if text.lines().count() == 1 && known.iter().any(|kind| text.starts_with(kind)) {
        return Ok(text.to_owned());
    }
    Err("expected a public key, such as the content of ~/.ssh/id_ed25519.pub".to_owned())
}

pub(crate) async fn run(args: Args, program: &Program) -> Result<u8> {
    let Args { target, version, dry_run, until, keep, debug_key, events, logs } = args;
    if dry_run {
        return plan::plan(program, target, &version, events.json, false).await;
    }
    let Some(ToBake { loaded, context }) = load_to_bake(program, &target, &version)? else {
        program.host.output("changed", "false");
        return Ok(0);
    };
    loaded.show(program.host.as_ref());
    let Some(manifest) = loaded.manifest() else { return Ok(loaded.exit_code()) };
    if until.is_none() {
        program.host.preflight(manifest, &context).await?;
    }
    let mut settings = loaded.creating(Task::Bake, program.host.as_ref(), events.json)?;
    // The working directory, as a relative path: that is how messages show it.
    settings.report = Some(PathBuf::new());
    settings.logs = logs.log_dir;
    let session = Session::begin(settings, &program.host)?;
    let options = Options {
        until_validate: until.is_some(),
        keep_on_failure: keep.keep_on_failure.map(|folder| Keep { folder, key: debug_key }),
        ..version.options(loaded.facts(), context)
    };
    let code = match loaded.context(program, manifest, target.platform, &session.run).await {
        Ok(context) => engine::bake(&session.run, &context, &options).await,
        Err(error) => return session.fail(error).await,
    };
    Ok(session.end(code).await)
}
