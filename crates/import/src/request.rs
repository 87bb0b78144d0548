//! From files to a manifest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ami_bake_manifest::diagnostic::{Diagnostic, Sources};
use jiff::Timestamp;

use crate::hcl;
use crate::imagebuilder;
use crate::input::{Finding, Kind, Log, Reader};
use crate::output::{Draft, title};
use crate::packer;
use crate::paths::{Paths, normal};
use crate::read::{self, Document, Form};
use crate::repair::repair;
use crate::share::share;
use crate::yaml::Value;

/// A file to import.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// What is to be imported, and where to.
#[derive(Debug, Clone)]
pub struct Request {
    /// One Packer template in JSON, the files of one in HCL, or any number of Image Builder resources and component documents.
    pub files: Vec<Source>,
    /// Packer's files of variables, in order.
    pub var_files: Vec<Source>,
    /// Variables of the command line, in order.
    pub sets: Vec<(String, String)>,
    /// The working directory, absolute.
    pub working: PathBuf,
    /// The folder that the manifest's paths are relative to.
    pub output: PathBuf,
    /// The environment: `PKR_VAR_NAME` gives variables of HCL values, and `env` reads it.
    pub environment: BTreeMap<String, String>,
    /// The time that `timestamp` and `isotime` are evaluated with. Without it they become the manifest's own `timestamp` and
    /// `date`, as they should in a file that is kept.
    pub now: Option<Timestamp>,
}

/// What came of an import.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The manifest; none when there was nothing that could be imported.
    pub manifest: Option<String>,
    /// How many images it has.
    pub images: usize,
    /// The names of its variables.
    pub variables: Vec<String>,
    /// Fields that are not in it as they were.
    pub findings: Vec<Finding>,
    /// Files that it names and that are not there, relative to the manifest.
    pub missing: Vec<String>,
    /// Files to write beside it, by their paths relative to it.
    pub files: Vec<(String, String)>,
}

/// Why files are not imported at all.
#[derive(Debug)]
pub struct Refused {
    /// What is wrong, with its place.
    pub findings: Vec<Diagnostic>,
    /// The files, to show it with.
    pub sources: Sources,
}

/// Imports files.
///
/// # Errors
/// When a file can't be read as JSON, YAML or HCL, or is nothing that is known, with its place.
pub fn import(request: &Request) -> Result<Imported, Refused> {
    let hcl = |source: &Source| hcl::is_template(&source.path) || hcl::is_variables(&source.path);
    if !request.files.is_empty() && request.files.iter().all(hcl) {
        return hcl::import(request);
    }
    let mut refused = Refused { findings: Vec::new(), sources: Sources::default() };
    let names = |source: &Source| source.path.display().to_string();
    let documents: Vec<Document> =
        request.files.iter().filter_map(|source| read::document(&names(source), source, &mut refused)).collect();
    let files: Vec<Document> =
        request.var_files.iter().filter_map(|source| read::variables(&names(source), source, &mut refused)).collect();
    let templates = documents.iter().filter(|document| document.form == Form::Packer).count();
    if templates > 0 && documents.len() > 1 {
        let text = "a Packer template is imported alone: it becomes a manifest of its own";
        let help = "Import one template at a time; files of variables go with `--var-file`.";
        refused.findings.push(Diagnostic::error("one-template", None, text).help(help));
    }
    if !refused.findings.is_empty() {
        return Err(refused);
    }
    let log = Log::default();
    let draft = draft(request, &documents, &files, &log);
    for document in documents.iter().chain(&files) {
        log.rest(&document.name, &document.root);
    }
    let paths = paths(request, documents.first().map(|first| first.path.as_path()));
    let from: Vec<String> = documents.iter().map(|document| shown(&document.path)).collect();
    Ok(finish(draft, &from, log, &paths, &|finding| finding))
}

/// Where paths begin and end; `first` is the first file.
pub(crate) fn paths(request: &Request, first: Option<&Path>) -> Paths {
    let absolute = |path: &Path| normal(&request.working.join(path));
    let folder = first.and_then(Path::parent).unwrap_or(Path::new(""));
    Paths { working: normal(&request.working), input: absolute(folder), output: absolute(&request.output) }
}

fn draft<'a>(request: &'a Request, documents: &'a [Document], files: &'a [Document], log: &'a Log) -> Draft {
    let stem = |document: &Document| title(&normal(&request.working.join(&document.path)));
    let paths = paths(request, documents.first().map(|first| first.path.as_path()));
    match documents {
        [document] if document.form == Form::Packer => {
            let given = packer::Given {
                files: files.iter().map(|file| Reader::root(&file.root, &file.name, log)).collect(),
                sets: &request.sets,
                now: request.now,
                stem: &stem(document),
                paths: &paths,
            };
            packer::import(&Reader::root(&document.root, &document.name, log), &given)
        }
        _ => {
            let stem = documents.first().map(stem).unwrap_or_default();
            imagebuilder::import(documents, &request.sets, &stem, &paths, log)
        }
    }
}

/// Checks the draft and writes it; `place` says where in the input a finding belongs.
pub(crate) fn finish(
    mut draft: Draft,
    from: &[String],
    log: Log,
    paths: &Paths,
    place: &dyn Fn(Finding) -> Finding,
) -> Imported {
    let root = (draft.images() > 0).then(|| repair(&mut draft, paths, &log));
    // What no check lets through is no manifest.
    let images = match root.as_ref().and_then(|root| root.get("images")) {
        Some(Value::Map(images)) => images.0.len(),
        _ => 0,
    };
    let root = root.filter(|_| images > 0).map(|mut root| {
        share(&mut root);
        root
    });
    let (told, missing) = log.finish();
    let mut findings: Vec<Finding> = Vec::new();
    for finding in told.into_iter().map(place) {
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    findings.sort_by_key(|finding| finding.kind != Kind::Dropped);
    let variables = match root.as_ref().and_then(|root| root.get("vars")) {
        Some(Value::Map(vars)) => vars.0.iter().map(|entry| entry.key.clone()).collect(),
        _ => Vec::new(),
    };
    Imported {
        variables,
        manifest: root.map(|root| Draft::text(&draft.head, &root, from, &findings, &missing)),
        images,
        findings,
        missing,
        files: draft.files,
    }
}

/// A file's own name.
pub(crate) fn shown(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
