//! The command `ami-bake schema`.

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

pub(crate) fn run(_: &Args, program: &Program) -> u8 {
    program.host.json(&ami_bake_manifest::schema(), false);
    0
}

/// The schema as in the repository.
#[cfg(test)]
pub(crate) fn text() -> String {
    crate::out::json_text(&ami_bake_manifest::schema(), &ami_bake_core::mask::Masker::default(), false)
}
