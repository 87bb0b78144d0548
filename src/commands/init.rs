//! The command `ami-bake init`.

use std::io::ErrorKind;
use std::path::PathBuf;

use ami_bake_core::{Error, Result, whole_file};
use ami_bake_manifest::{TEMPLATE, VM_TEMPLATE};
use clap::ValueEnum;

use crate::program::Program;

/// Create a commented manifest to start from
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake init
  ami-bake init .github/bake.yml
  ami-bake init --platform vm --disk debian-12-genericcloud-amd64.qcow2")]
pub(crate) struct Args {
    /// File to create; an existing file is not overwritten
    #[arg(default_value = "bake.yml", value_name = "FILE")]
    file: PathBuf,

    /// Platform of the manifest
    #[arg(long, value_enum, value_name = "PLATFORM", default_value = "aws")]
    platform: Template,

    /// With --platform vm: the disk image to start from, relative to the manifest. Default: disk.qcow2
    #[arg(long, value_name = "FILE")]
    disk: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Template {
    /// An AMI, with a source for trying it in a sandbox
    Aws,
    /// A disk image, baked in a virtual machine
    Vm,
}

pub(crate) fn run(args: &Args, program: &Program) -> Result<u8> {
    let name = args.file.display();
    if args.disk.is_some() && args.platform != Template::Vm {
        return Err(Error::usage("--disk needs --platform vm"));
    }
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => Error::usage(format!("{name} already exists"))
            .help("Choose another file, or validate this one with `ami-bake check`."),
        _ => Error::usage(format!("could not write {name}")).because(error),
    };
    if let Some(folder) = args.file.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let (text, next) = match args.platform {
        Template::Aws => (
            TEMPLATE.to_owned(),
            format!(
                "  ami-bake bake {name} --platform local    try it on this machine\n  ami-bake plan {name}                     show what a bake on AWS would do\n"
            ),
        ),
        Template::Vm => (
            match &args.disk {
                // A JSON string is one of YAML.
                Some(disk) => {
                    VM_TEMPLATE.replacen("disk: disk.qcow2", &format!("disk: {}", serde_json::json!(disk)), 1)
                }
                None => VM_TEMPLATE.to_owned(),
            },
            format!("  ami-bake bake {name}                     bake the image in a virtual machine\n"),
        ),
    };
    whole_file::create(&args.file, 0o666, |to| to.write_all(text.as_bytes())).map_err(failed)?;
    program
        .host
        .say(&format!("Created {name}\n\nNext:\n  ami-bake check {name}                    validate it\n{next}"));
    Ok(0)
}
