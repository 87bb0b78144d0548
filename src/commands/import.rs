//! The command `ami-bake import`.

use std::path::{Path, PathBuf};

use ami_bake_core::{Error, ErrorKind, Result, whole_file};
use ami_bake_import::{FindingKind, Imported, Request, import, lines};
use ami_bake_manifest::diagnostic::{self, Style};

use crate::args::{AccessArgs, VariableArgs};
use crate::host::Host;
use crate::out::{Named, named, own};
use crate::plural::counted;
use crate::program::Program;
use crate::session::{environment, inputs, read};

/// Convert a Packer template or EC2 Image Builder resources to a manifest
///
/// Reads a Packer template in HCL2 or JSON, or recipes, configurations, pipelines and components of EC2 Image Builder,
/// in the format of its API or as CloudFormation. Everything that the manifest can't express is listed with its path in
/// the input, the reason, and what to do. The list is also written at the end of the manifest. Credentials are never
/// copied.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake import packer.json -o bake.yml
  ami-bake import images/web/ -o bake.yml     HCL2: *.pkr.hcl and *.auto.pkrvars.hcl of a folder
  ami-bake import packer.json --var-file prod.json --set region=eu-west-1 -o bake.yml
  ami-bake import recipe.json infrastructure.json distribution.json component.yml -o bake.yml
  ami-bake import stack.yaml                  print the manifest
  ami-bake bake packer.json                   import and bake in one step")]
pub(crate) struct Args {
    /// Template, or resources and component documents; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Write the manifest to FILE; its paths are relative to the folder of FILE. Default: standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Overwrite existing files
    #[arg(long)]
    force: bool,

    /// Write nothing and exit with 3 if the manifest would differ from the input in any way
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    variables: VariableArgs,

    #[command(flatten)]
    access: AccessArgs,
}

pub(crate) fn run(args: &Args, program: &Program) -> Result<u8> {
    let host = program.host.as_ref();
    let paint = host.ui().paint;
    let working = std::env::current_dir()
        .map_err(|error| Error::usage("could not determine the working directory").because(error))?;
    let to_stdout = |path: &Path| path == Path::new("-") || matches!(named(path), Some(Named::Stdout));
    let output = args.output.as_deref().filter(|path| !to_stdout(path));
    let folder = folder(output);
    let (files, mut var_files) = inputs(&args.files, &args.access.allow_files)?;
    for path in &args.variables.var_file {
        var_files.push(read(path, &args.access.allow_files)?);
    }
    let many = files.len() + var_files.len() > 1;
    let request = Request {
        files,
        var_files,
        sets: args.variables.set.clone(),
        environment: environment(host, &args.access),
        allow_files: args.access.allow_files.clone(),
        working,
        output: folder.clone(),
        now: None,
    };
    let imported = match import(&request) {
        Ok(imported) => imported,
        Err(refused) => {
            let style = if paint.on { Style::Coloured } else { Style::Plain };
            host.say(&own(&diagnostic::text(&refused.findings, &refused.sources, style)));
            return Ok(ErrorKind::Manifest.exit_code());
        }
    };
    let Some(manifest) = &imported.manifest else {
        show(&imported, many, host);
        host.say(&format!("\n{} nothing can be imported\n", paint.bad("error:")));
        return Ok(ErrorKind::Manifest.exit_code());
    };
    let differences = imported.findings.len() + imported.missing.len();
    if args.strict && differences > 0 {
        show(&imported, many, host);
        let differences = counted(differences, "difference");
        host.say(&format!("\n{} {differences} from the input (--strict)\n", paint.bad("error:")));
        return Ok(ErrorKind::Manifest.exit_code());
    }
    if let Some(output) = output {
        let files = imported.files.iter().map(|(path, text)| (folder.join(path), text));
        let all: Vec<(PathBuf, &String)> = std::iter::once((output.to_path_buf(), manifest)).chain(files).collect();
        // Either all files are written or none.
        for (path, text) in &all {
            check_writable(path, text, args.force)?;
        }
        for (path, text) in &all {
            write(path, text)?;
        }
    } else {
        host.data(manifest);
        for (path, _) in &imported.files {
            host.say(&format!("Skipped {path}: it is only written with --output\n"));
        }
    }
    show(&imported, many, host);
    if let Some(output) = output {
        let images = counted(imported.images, "image");
        let name = output.display();
        host.say(&format!(
            "\nCreated {} ({images})\n\nNext:\n  ami-bake check {name}\n",
            paint.good(&name.to_string())
        ));
    }
    Ok(0)
}

/// The folder that the manifest's paths are relative to: for `.github/bake.yml` its parent.
fn folder(output: Option<&Path>) -> PathBuf {
    let folder = output.and_then(Path::parent).map(Path::to_path_buf).unwrap_or_default();
    match folder.file_name() {
        Some(name) if name == ".github" => folder.parent().map(Path::to_path_buf).unwrap_or_default(),
        _ => folder,
    }
}

/// Fails when a file exists with other content and must not be overwritten.
fn check_writable(path: &Path, text: &str, force: bool) -> Result<()> {
    let name = path.display();
    if path.is_dir() {
        return Err(Error::usage(format!("{name} is a folder, not a file"))
            .help(format!("Choose a file in it: `{}`.", path.join("bake.yml").display())));
    }
    if force || !path.exists() || std::fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    Err(Error::usage(format!("{name} already exists")).help("Choose another file, or overwrite it with --force."))
}

fn write(path: &Path, text: &str) -> Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    let failed = |error: std::io::Error| Error::usage(format!("could not write {}", path.display())).because(error);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    whole_file::replace(path, |to| to.write_all(text.as_bytes())).map_err(failed)
}

/// Shows what the import left out or changed.
fn show(imported: &Imported, many: bool, host: &dyn Host) {
    let paint = host.ui().paint;
    for (kind, title) in [(FindingKind::Dropped, "Not imported:"), (FindingKind::Changed, "Imported with changes:")] {
        let lines = lines(&imported.findings, kind, many);
        if !lines.is_empty() {
            host.say(&format!("{}\n", paint.bold(title)));
            for line in lines {
                host.say(&format!("  {line}\n"));
            }
        }
    }
    if !imported.missing.is_empty() {
        host.say(&format!("{}\n", paint.bold("Missing files:")));
        for path in &imported.missing {
            host.say(&format!("  {path}\n"));
        }
    }
}
