//! `ami-bake check`

use ami_bake_core::Result;
use ami_bake_core::plan::Recipe as _;
use serde_json::json;

use crate::cli::ManifestArgs;
use crate::session::load;
use crate::ui::Ui;

/// Find everything that is wrong with a manifest, without network and credentials
///
/// All problems are shown in one go, each at its line. In a GitHub workflow they are annotations too.
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

pub(crate) fn run(args: &Args, ui: Ui) -> Result<u8> {
    let loaded = load(&args.manifest, None, true)?;
    if args.json {
        let report = json!({
            "format": 1,
            "manifest": loaded.name(),
            "valid": loaded.manifest().is_some(),
            "findings": loaded.json(),
        });
        ui.data(&format!("{report:#}\n"));
    } else {
        loaded.show(ui);
        if let Some(manifest) = loaded.manifest() {
            let images = manifest.variants().len();
            let images = if images == 1 { "1 image".to_owned() } else { format!("{images} images") };
            let platform = manifest.platform().as_str();
            ui.say(&format!("{}: {} ({images} on {platform})\n", loaded.name(), ui.paint.good("valid")));
        } else {
            let errors = loaded.errors();
            let errors = if errors == 1 { "1 error".to_owned() } else { format!("{errors} errors") };
            ui.say(&format!("{}: {}\n", loaded.name(), ui.paint.bad(&errors)));
        }
    }
    Ok(loaded.exit_code())
}
