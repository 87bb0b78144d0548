//! `ami-bake schema`

use ami_bake_core::{Error, Result};

use crate::ui::Ui;

/// Print the JSON Schema of the manifest
///
/// Editors check and complete a manifest that names it in its first line:
///   # yaml-language-server: $schema=bake.schema.json
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Example:
  ami-bake schema > bake.schema.json"
)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, ui: Ui) -> Result<u8> {
    ui.data(&text()?);
    Ok(0)
}

/// The schema as it stands in the repository.
pub(crate) fn text() -> Result<String> {
    let text = serde_json::to_string_pretty(&ami_bake_manifest::schema())
        .map_err(|error| Error::internal("write the schema as JSON").because(error))?;
    Ok(text + "\n")
}
