//! Imports a Packer template or an Image Builder resource that is used in place of a manifest.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use ami_bake_core::{Error, Result};
use ami_bake_import::{FindingKind, Imported, Refused, Request, Source, gather, import, is_importable, lines};
use ami_bake_manifest::access::{FileAccess, FileError};
use ami_bake_manifest::diagnostic::{Diagnostic, Sources};
use ami_bake_manifest::{Loaded, Manifest, Options};

/// Imports a file or folder as a manifest. `None` when it is a manifest.
///
/// # Errors
/// When a variable file can't be read.
pub(super) fn load(path: &Path, options: &Options) -> Result<Option<Loaded>> {
    let (files, mut var_files) = if path.is_dir() {
        inputs(&[path.to_owned()], &options.allow_files)?
    } else if FileAccess::check_named(path, &options.allow_files).is_err() {
        return Ok(None);
    } else {
        // The caller reports an unreadable file, as for every manifest.
        let Ok(text) = std::fs::read_to_string(path) else { return Ok(None) };
        if !is_importable(path, &text) {
            return Ok(None);
        }
        (vec![Source { path: path.to_owned(), text }], Vec::new())
    };
    for path in &options.var_files {
        var_files.push(read(path, &options.allow_files)?);
    }
    let folder = match path.parent() {
        _ if path.is_dir() => path.to_owned(),
        folder => folder.map(Path::to_path_buf).unwrap_or_default(),
    };
    let working = std::env::current_dir()
        .map_err(|error| Error::usage("could not determine the working directory").because(error))?;
    let request = Request {
        files,
        var_files,
        sets: options.sets.clone(),
        environment: options.env.clone(),
        allow_files: options.allow_files.clone(),
        working,
        output: folder.clone(),
        now: Some(options.now),
    };
    Ok(Some(match import(&request) {
        Ok(imported) => manifest(path, folder, imported, options),
        Err(Refused { findings, sources }) => Loaded { manifest: None, findings, sources },
    }))
}

/// Reads a file to import; `-` is standard input. `allowed` are the folders of `--allow-files`.
///
/// # Errors
/// When the file can't be read, or is a link that leads out of its repository.
pub(crate) fn read(path: &Path, allowed: &[PathBuf]) -> Result<Source> {
    let name = path.display();
    let (path, bytes) = if path == Path::new("-") {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut bytes);
        (Path::new("stdin"), read.map(|_| bytes))
    } else if path.is_dir() {
        return Err(Error::usage(format!("{name} is a folder, not a file"))
            .help(format!("List the files in it, such as `{name}/packer.json`.")));
    } else {
        check_named(path, allowed)?;
        (path, std::fs::read(path))
    };
    let bytes = bytes.map_err(|error| Error::usage(format!("could not read {name}")).because(error))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source { path: path.to_owned(), text }),
        Err(error) => {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = before.split(|byte| *byte == b'\n').count();
            Err(Error::usage(format!("line {line} of {name} is not valid UTF-8")).help("Save the file as UTF-8."))
        }
    }
}

/// Checks that a file named by a person is not a link that leads out of its repository.
///
/// # Errors
/// When it is such a link.
pub(crate) fn check_named(path: &Path, allowed: &[PathBuf]) -> Result<()> {
    match FileAccess::check_named(path, allowed) {
        Err(FileError::Forbidden { message, help }) => Err(Error::usage(message).help(help)),
        _ => Ok(()),
    }
}

/// True when a folder contains a template that is imported as a whole.
pub(super) fn holds_template(folder: &Path) -> bool {
    gather(folder).is_ok_and(|found| !found.templates.is_empty())
}

/// Reads the files to import, and the variable files that Packer would load automatically. A folder stands for the
/// template in it.
///
/// # Errors
/// When a file or a folder can't be read, or a folder contains no template.
pub(crate) fn inputs(paths: &[PathBuf], allowed: &[PathBuf]) -> Result<(Vec<Source>, Vec<Source>)> {
    let (mut files, mut variables) = (Vec::new(), Vec::new());
    for path in paths {
        if !path.is_dir() {
            files.push(read(path, allowed)?);
            continue;
        }
        let name = path.display();
        let found =
            gather(path).map_err(|error| Error::usage(format!("could not read folder {name}")).because(error))?;
        if found.templates.is_empty() {
            return Err(Error::usage(format!("folder {name} contains no template"))
                .help("Specify a manifest, or a folder with Packer templates (`*.pkr.hcl`, `*.pkr.json`)."));
        }
        for (paths, sources) in [(&found.templates, &mut files), (&found.variables, &mut variables)] {
            for path in paths {
                sources.push(read(path, allowed)?);
            }
        }
    }
    Ok((files, variables))
}

fn manifest(path: &Path, folder: PathBuf, imported: Imported, options: &Options) -> Loaded {
    let name = path.display().to_string();
    let refused = |message: String, help: &str, mut findings: Vec<Diagnostic>| {
        findings.push(Diagnostic::error("nothing-to-import", None, message).help(help));
        Loaded { manifest: None, findings, sources: Sources::default() }
    };
    let mut differences = differences(&imported);
    let Some(text) = imported.manifest else {
        return refused(format!("nothing in {name} can be imported"), "See the messages above.", differences);
    };
    if !imported.files.is_empty() {
        let help = format!("Import it to files first: `ami-bake import {name} -o bake.yml`.");
        return refused(
            format!("{name} contains documents that must be files next to the manifest"),
            &help,
            differences,
        );
    }
    // The import used the values for the template's variables. Those that became variables of the manifest are set
    // again.
    let sets = options.sets.iter().filter(|(name, _)| imported.variables.contains(name)).cloned().collect();
    let options = Options { var_files: Vec::new(), sets, ..options.clone() };
    let shown = format!("{name} (imported)");
    let mut loaded = Manifest::load_generated(&shown, &text, imported.written, folder, &options);
    // The text contains values that were read from files and the environment.
    if !imported.private.is_empty() {
        imported.private.hide(&mut loaded.findings, &loaded.sources);
        loaded.sources.make_private(&shown);
    }
    differences.append(&mut loaded.findings);
    loaded.findings = differences;
    loaded
}

/// Findings about everything that the import left out or changed.
fn differences(imported: &Imported) -> Vec<Diagnostic> {
    let mut findings: Vec<Diagnostic> = lines(&imported.findings, FindingKind::Dropped, false)
        .into_iter()
        .map(|line| Diagnostic::warning("not-imported", None, format!("not imported: {line}")))
        .collect();
    let changed = lines(&imported.findings, FindingKind::Changed, false).into_iter();
    findings.extend(changed.map(|line| Diagnostic::note("changed", None, format!("imported with changes: {line}"))));
    findings
}
