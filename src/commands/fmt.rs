//! The command `ami-bake fmt`.

use std::path::{Path, PathBuf};

use ami_bake_core::{Error, ErrorKind, Result, whole_file};
use ami_bake_manifest::canonical;
use ami_bake_manifest::diagnostic::{self, Diagnostic, FileId, Sources, Style};

use crate::host::Host;
use crate::out::own;
use crate::plural::counted;
use crate::program::Program;
use crate::session::{find, read};

/// Format manifests: keys in the order of the reference, two spaces of indentation
///
/// Comments, blank lines, quotes, anchors and what is written in one line stay as they are, and so does the meaning: the result
/// is read again before a file is changed. Keys whose order may mean something, such as variables, environment variables and
/// images, are not moved.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake fmt                        format bake.yml
  ami-bake fmt images/*.yml
  ami-bake fmt --check                in CI: exit with 3 and name the files that are not formatted
  ami-bake fmt - < bake.yml           print the formatted manifest")]
pub(crate) struct Args {
    /// Manifests to format; `-` is standard input, printed to standard output
    ///
    /// Default: bake.yml in the working directory, else .github/bake.yml.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Change nothing; name the files that are not formatted, and exit with 3 if there are any
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args, program: &Program) -> Result<u8> {
    let host = program.host.as_ref();
    let files = if args.files.is_empty() { vec![find(None)?] } else { args.files.clone() };
    let (mut sources, mut findings) = (Sources::default(), Vec::new());
    let mut changed = 0;
    for file in &files {
        let source = if file == Path::new("-") { read(file, &[])? } else { read(&find(Some(file))?, &[])? };
        let name = source.path.display().to_string();
        let formatted = match canonical(&name, &source.text, &mut sources) {
            Ok(formatted) => formatted,
            Err(refused) => {
                findings.extend(refused);
                continue;
            }
        };
        let is_canonical = formatted == source.text;
        changed += usize::from(!is_canonical);
        if args.check {
            let file = sources.find(&name).filter(|_| !is_canonical);
            findings.extend(file.map(|file| not_formatted(file, &name, &source.text, &formatted, &sources)));
        } else if file == Path::new("-") {
            host.data(&formatted);
        } else if !is_canonical {
            replace(&source.path, &formatted, host)?;
            host.say(&format!("Formatted {name}\n"));
        }
    }
    if findings.is_empty() {
        if changed == 0 && !files.iter().any(|file| file == Path::new("-")) {
            host.say(&format!("Already formatted: {}\n", counted(files.len(), "file")));
        }
        return Ok(0);
    }
    let style = if host.ui().paint.on { Style::Coloured } else { Style::Plain };
    host.say(&format!("{}\n", own(&diagnostic::text(&findings, &sources, style))));
    host.annotate(&findings, &sources);
    Ok(ErrorKind::Manifest.exit_code())
}

/// The finding at the first line that would change.
fn not_formatted(file: FileId, name: &str, text: &str, formatted: &str, sources: &Sources) -> Diagnostic {
    let line = text.lines().zip(formatted.lines()).take_while(|(one, other)| one == other).count();
    let help = if name == "stdin" { "Run `ami-bake fmt -`.".to_owned() } else { format!("Run `ami-bake fmt {name}`.") };
    Diagnostic::error("not-formatted", sources.line(file, line + 1), format!("{name} is not formatted")).help(help)
}

/// Replaces a file as a whole. It keeps its permissions, and a link stays a link.
fn replace(path: &Path, text: &str, host: &dyn Host) -> Result<()> {
    let failed = |error| Error::usage(format!("could not write {}", path.display())).because(error);
    let real = std::fs::canonicalize(path).map_err(failed)?;
    let permissions = std::fs::metadata(&real).map_err(failed)?.permissions();
    whole_file::replace(&real, |to| to.write_all(text.as_bytes())).map_err(failed)?;
    std::fs::set_permissions(&real, permissions).map_err(failed)?;
    host.file_created(&real);
    Ok(())
}
