//! `ami-bake init`

use std::io::Write;
use std::path::PathBuf;

use ami_bake_core::{Error, Result};

use crate::ui::Ui;

/// Write a commented manifest to start from
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake init
  ami-bake init .github/bake.yml")]
pub(crate) struct Args {
    /// The file to write; one that exists is left alone
    #[arg(default_value = "bake.yml", value_name = "FILE")]
    file: PathBuf,
}

pub(crate) fn run(args: &Args, ui: Ui) -> Result<u8> {
    let name = args.file.display();
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Error::usage(format!("write {name}: the file is there already"))
            .help("Give another name, or look into it with `ami-bake check`."),
        _ => Error::usage(format!("write {name}")).because(error),
    };
    if let Some(folder) = args.file.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&args.file).map_err(failed)?;
    file.write_all(ami_bake_manifest::TEMPLATE.as_bytes()).map_err(failed)?;
    ui.say(&format!(
        "wrote {name}\n\nNext:\n  ami-bake check {name}                    is it right?\n  ami-bake bake {name} --platform local    try it on this machine\n  ami-bake plan {name}                     what would be baked on AWS?\n"
    ));
    Ok(0)
}
