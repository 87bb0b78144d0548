//! The command `ami-bake init`.

use std::io::ErrorKind;
use std::path::PathBuf;

use ami_bake_core::{Error, Result, whole_file};

use crate::program::Program;

/// Create a commented manifest to start from
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake init
  ami-bake init .github/bake.yml")]
pub(crate) struct Args {
    /// File to create; an existing file is not overwritten
    #[arg(default_value = "bake.yml", value_name = "FILE")]
    file: PathBuf,
}

pub(crate) fn run(args: &Args, program: &Program) -> Result<u8> {
    let name = args.file.display();
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => Error::usage(format!("{name} already exists"))
            .help("Choose another file, or validate this one with `ami-bake check`."),
        _ => Error::usage(format!("could not write {name}")).because(error),
    };
    if let Some(folder) = args.file.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    whole_file::create(&args.file, 0o666, |to| to.write_all(ami_bake_manifest::TEMPLATE.as_bytes())).map_err(failed)?;
    program.host.say(&format!(
        "Created {name}\n\nNext:\n  ami-bake check {name}                    validate it\n  ami-bake bake {name} --platform local    try it on this machine\n  ami-bake plan {name}                     show what a bake on AWS would do\n"
    ));
    Ok(0)
}
