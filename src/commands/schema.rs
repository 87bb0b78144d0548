//! `ami-bake schema`

use ami_bake_core::{Error, Result};

use crate::program::Program;

/// Print the JSON Schema of the manifest
///
/// Editors validate and complete a manifest that names the schema in its first line:
///   # yaml-language-server: $schema=bake.schema.json
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Example:
  ami-bake schema > bake.schema.json"
)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, program: &Program) -> Result<u8> {
    program.host.data(&text()?);
    Ok(0)
}

/// The schema, as it is in the repository.
pub(crate) fn text() -> Result<String> {
    let text = serde_json::to_string_pretty(&ami_bake_manifest::schema())
        .map_err(|error| Error::internal("cannot write the schema as JSON").because(error))?;
    Ok(text + "\n")
}
