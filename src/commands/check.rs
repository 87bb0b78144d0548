//! The command `ami-bake check`.

use ami_bake_core::Result;
use ami_bake_core::plan::Recipe as _;
use serde_json::json;

use crate::args::ManifestArgs;
use crate::plural::counted;
use crate::program::Program;
use crate::session::{Purpose, load};

/// Validate a manifest, without network access or credentials
///
/// Shows all problems at once, each with its line. In a GitHub workflow they also become annotations.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake check
  ami-bake check images.yml --environment production
  ami-bake check --platform local       can this manifest be baked on this machine?
  ami-bake check --json | jq '.findings[] | select(.severity == \"error\")'")]
pub(crate) struct Args {
    #[command(flatten)]
    manifest: ManifestArgs,

    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, program: &Program) -> Result<u8> {
    let host = program.host.as_ref();
    let paint = host.ui().paint;
    let loaded = load(program, &args.manifest, None, Purpose::Check)?;
    if args.json {
        let report = json!({
            "format": 1,
            "manifest": loaded.name(),
            "valid": loaded.manifest().is_some(),
            "findings": loaded.json(),
        });
        host.json(&report, false);
    } else {
        loaded.show(host);
        if let Some(manifest) = loaded.manifest() {
            let images = counted(manifest.variants().len(), "image");
            let platform = manifest.platform().as_str();
            host.say(&format!("{}: {} ({images} on {platform})\n", loaded.name(), paint.good("valid")));
            host.page(
                &format!("✅ {}: {} is valid", manifest.namespace(), loaded.name()),
                &format!("{images} on {platform}\n"),
            );
        } else {
            let errors = counted(loaded.errors(), "error");
            host.say(&format!("{}: {}\n", loaded.name(), paint.bad(&errors)));
        }
    }
    Ok(loaded.exit_code())
}
