//! `ami-bake import`

use std::path::{Path, PathBuf};

use ami_bake_core::{Error, ErrorKind, Result};
use ami_bake_import::{FindingKind, Imported, Request, import, lines};
use ami_bake_manifest::diagnostic::{self, Style};

use crate::session::{environment, inputs, read};
use crate::ui::Ui;

/// Make a manifest of a Packer template, or of Image Builder resources
///
/// Reads a Packer template in HCL2 or JSON, or recipes, configurations, pipelines and components of EC2 Image Builder, as its API
/// takes them or in CloudFormation. Everything that has no place in the manifest is listed with its path in the input, the
/// reason, and what to do; the list stands at the end of the manifest too. Credentials are never copied.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake import packer.json -o bake.yml
  ami-bake import images/web/ -o bake.yml     Packer's HCL2: *.pkr.hcl and *.auto.pkrvars.hcl of a folder
  ami-bake import packer.json --var-file prod.json --set region=eu-west-1 -o bake.yml
  ami-bake import recipe.json infrastructure.json distribution.json component.yml -o bake.yml
  ami-bake import stack.yaml                  the manifest on standard output
  ami-bake bake packer.json                   import and bake in one go")]
pub(crate) struct Args {
    /// The template, or the resources and component documents; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Where to write the manifest, standard output without; its paths are relative to this file's folder
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Overwrite files that are there already
    #[arg(long)]
    force: bool,

    /// A file of variables of the template; may be repeated, the last one wins
    #[arg(long, value_name = "FILE")]
    var_file: Vec<PathBuf>,

    /// Give a variable of the template a value; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = crate::cli::assignment)]
    set: Vec<(String, String)>,
}

pub(crate) fn run(args: &Args, ui: Ui) -> Result<u8> {
    let working = std::env::current_dir().map_err(|error| Error::usage("find the working directory").because(error))?;
    let output = args.output.as_deref().filter(|path| *path != Path::new("-"));
    let folder = folder(output);
    let (files, mut var_files) = inputs(&args.files)?;
    for path in &args.var_file {
        var_files.push(read(path)?);
    }
    let many = files.len() + var_files.len() > 1;
    let request = Request {
        files,
        var_files,
        sets: args.set.clone(),
        environment: environment(),
        working,
        output: folder.clone(),
        now: None,
    };
    let imported = match import(&request) {
        Ok(imported) => imported,
        Err(refused) => {
            let style = if ui.paint.on { Style::Coloured } else { Style::Plain };
            ui.say(&diagnostic::text(&refused.findings, &refused.sources, style));
            return Ok(ErrorKind::Manifest.exit_code());
        }
    };
    let Some(manifest) = &imported.manifest else {
        emit(&imported, many, ui);
        ui.say(&format!("\n{} nothing can be imported\n", ui.paint.bad("error:")));
        return Ok(ErrorKind::Manifest.exit_code());
    };
    if let Some(output) = output {
        let files = imported.files.iter().map(|(path, text)| (folder.join(path), text));
        let all: Vec<(PathBuf, &String)> = std::iter::once((output.to_path_buf(), manifest)).chain(files).collect();
        // All or none.
        for (path, text) in &all {
            free(path, text, args.force)?;
        }
        for (path, text) in &all {
            write(path, text)?;
        }
    } else {
        ui.data(manifest);
        for (path, _) in &imported.files {
            ui.say(&format!("not written without --output: {path}\n"));
        }
    }
    emit(&imported, many, ui);
    if let Some(output) = output {
        let images = if imported.images == 1 { "1 image".to_owned() } else { format!("{} images", imported.images) };
        let name = output.display();
        ui.say(&format!("\nwrote {} ({images})\n\nNext:\n  ami-bake check {name}\n", ui.paint.good(&name.to_string())));
    }
    Ok(0)
}

/// The folder that the manifest's paths are relative to: for `.github/bake.yml` the one above.
fn folder(output: Option<&Path>) -> PathBuf {
    let folder = output.and_then(Path::parent).map(Path::to_path_buf).unwrap_or_default();
    match folder.file_name() {
        Some(name) if name == ".github" => folder.parent().map(Path::to_path_buf).unwrap_or_default(),
        _ => folder,
    }
}

/// Whether a file may be written.
fn free(path: &Path, text: &str, force: bool) -> Result<()> {
    let name = path.display();
    if path.is_dir() {
        return Err(Error::usage(format!("write {name}: it is a folder"))
            .help(format!("Name a file in it: `{}`.", path.join("bake.yml").display())));
    }
    if force || !path.exists() || std::fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    Err(Error::usage(format!("write {name}: the file is there already"))
        .help("Give another name, or overwrite it with --force."))
}

fn write(path: &Path, text: &str) -> Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    let failed = |error: std::io::Error| Error::usage(format!("write {}", path.display())).because(error);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(failed)
}

/// The list of what is not in the manifest as it was.
fn emit(imported: &Imported, many: bool, ui: Ui) {
    for (kind, title) in [(FindingKind::Dropped, "Not imported:"), (FindingKind::Changed, "Imported with changes:")] {
        let lines = lines(&imported.findings, kind, many);
        if !lines.is_empty() {
            ui.say(&format!("{}\n", ui.paint.bold(title)));
            for line in lines {
                ui.say(&format!("  {line}\n"));
            }
        }
    }
    if !imported.missing.is_empty() {
        ui.say(&format!("{}\n", ui.paint.bold("Missing files:")));
        for path in &imported.missing {
            ui.say(&format!("  {path}\n"));
        }
    }
}
