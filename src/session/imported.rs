//! A template or a resource where a manifest is expected: imported on the fly.

use std::path::{Path, PathBuf};

use ami_bake_core::{Error, Result};
use ami_bake_import::{Imported, Kind, Refused, Request, Source, import, is_importable, lines};
use ami_bake_manifest::diagnostic::{Diagnostic, Sources};
use ami_bake_manifest::{Loaded, Manifest, Options};

/// The manifest that a file becomes; none when it is a manifest itself.
///
/// # Errors
/// When a file of variables can't be read.
pub(super) fn load(path: &Path, options: &Options) -> Result<Option<Loaded>> {
    // A file that can't be read is told as every manifest is.
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(None) };
    if !is_importable(path, &text) {
        return Ok(None);
    }
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let working = std::env::current_dir().map_err(|error| Error::usage("find the working directory").because(error))?;
    let request = Request {
        files: vec![Source { path: path.to_owned(), text }],
        var_files: options.var_files.iter().map(|path| read(path)).collect::<Result<_>>()?,
        sets: options.sets.clone(),
        working,
        output: folder.clone(),
        now: Some(options.now),
    };
    Ok(Some(match import(&request) {
        Ok(imported) => manifest(path, folder, imported, options),
        Err(Refused { findings, sources }) => Loaded { manifest: None, findings, sources },
    }))
}

/// A file to import.
///
/// # Errors
/// When it can't be read.
pub(crate) fn read(path: &Path) -> Result<Source> {
    match std::fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => Ok(Source { path: path.to_owned(), text }),
        Ok(Err(_)) => Err(Error::usage(format!("read {}: it is not UTF-8", path.display())).help("Save it as UTF-8.")),
        Err(error) => Err(Error::usage(format!("read {}", path.display())).because(error)),
    }
}

fn manifest(path: &Path, folder: PathBuf, imported: Imported, options: &Options) -> Loaded {
    let name = path.display().to_string();
    let refused = |message: String, help: &str, mut findings: Vec<Diagnostic>| {
        findings.insert(0, Diagnostic::error("nothing-to-import", None, message).help(help));
        Loaded { manifest: None, findings, sources: Sources::default() }
    };
    let told = told(&name, &imported);
    let Some(text) = imported.manifest else {
        return refused(format!("nothing in {name} can be imported"), "Each part of it is told with the reason.", told);
    };
    if !imported.files.is_empty() {
        let help = format!("Write the manifest first: `ami-bake import {name} -o bake.yml`.");
        return refused(format!("{name} holds documents that have to be files beside a manifest"), &help, told);
    }
    // The template has taken its values; only what the manifest asks for is given to it again.
    let sets = options.sets.iter().filter(|(name, _)| imported.variables.contains(name)).cloned().collect();
    let options = Options { var_files: Vec::new(), sets, ..options.clone() };
    let mut loaded = Manifest::load_text(&format!("{name} (imported)"), &text, folder, &options);
    loaded.findings.splice(0..0, told);
    loaded
}

/// What does not come over, as findings.
fn told(name: &str, imported: &Imported) -> Vec<Diagnostic> {
    let mut findings: Vec<Diagnostic> = lines(&imported.findings, Kind::Dropped, false)
        .into_iter()
        .map(|line| Diagnostic::warning("not-carried-over", None, format!("not carried over: {line}")))
        .collect();
    let changed = lines(&imported.findings, Kind::Changed, false).len();
    if changed > 0 {
        let message = format!("{changed} more came over with a difference");
        let help = format!("`ami-bake import {name}` tells of each.");
        findings.push(Diagnostic::note("changed", None, message).help(help));
    }
    findings
}
