//! Imports files into a manifest.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ami_bake_manifest::Written;
use ami_bake_manifest::access::{FileAccess, VisibleEnv};
use ami_bake_manifest::diagnostic::{Diagnostic, PrivateValues, Sources, Span};
use jiff::Timestamp;

use crate::comment::attach;
use crate::hcl;
use crate::hoist_defaults::hoist_defaults;
use crate::hoist_run::hoist_run;
use crate::imagebuilder;
use crate::input::{Finding, FindingKind, InputValue, Location, Log, Refused, Source};
use crate::output::{Draft, title};
use crate::packer;
use crate::paths::{Paths, normal};
use crate::read::{self, Document};
use crate::relocate::relocate;
use crate::repair::repair;
use crate::yaml::{Value, WrittenText};

/// Inputs and options of an import.
#[derive(Debug, Clone)]
pub struct Request {
    /// A Packer template in JSON, the files of one in HCL, or any number of Image Builder resources and component documents.
    pub files: Vec<Source>,
    /// Packer's variable files, in order.
    pub var_files: Vec<Source>,
    /// Variables of the command line, in order.
    pub sets: Vec<(String, String)>,
    /// The working directory, absolute.
    pub working: PathBuf,
    /// The folder that paths in the manifest are relative to.
    pub output: PathBuf,
    /// Environment variables, for `PKR_VAR_NAME` and `env`.
    pub environment: VisibleEnv,
    /// Folders and files that the input may refer to, in addition to those of its own repository.
    pub allow_files: Vec<PathBuf>,
    /// The time to evaluate `timestamp` and `isotime` with. `None`: they become the manifest's own `timestamp` and
    /// `date`, as they should in a file that is kept.
    pub now: Option<Timestamp>,
}

/// The result of an import.
#[derive(Debug, Clone)]
pub struct Imported {
    /// Text of the manifest; `None` when nothing could be imported.
    pub manifest: Option<String>,
    /// Number of images in the manifest.
    pub images: usize,
    /// Names of the manifest's variables.
    pub variables: Vec<String>,
    /// Fields that were not imported unchanged.
    pub findings: Vec<Finding>,
    /// Paths in the manifest that do not exist, relative to the manifest.
    pub missing: Vec<String>,
    /// Files to write beside the manifest: their paths relative to it, and their content.
    pub files: Vec<(String, String)>,
    /// Values from files and the environment: findings must not show them.
    pub private: Arc<PrivateValues>,
    /// The locations in the input from which parts of the manifest come.
    pub written: Written,
}

/// Imports files.
///
/// # Errors
/// When a file is not valid JSON, YAML or HCL, or is not of a known kind, with the location.
pub fn import(request: &Request) -> Result<Imported, Refused> {
    let templates: Vec<&Source> = request.files.iter().filter(|source| !hcl::is_variables(&source.path)).collect();
    let first = templates.first().map(|first| first.path.as_path());
    let stem = first.map(|first| title(&normal(&request.working.join(first)))).unwrap_or_default();
    let mut log = Log::default();
    let mut paths = paths(request, first);
    let mut draft = draft(request, &stem, &paths, &log)?;
    // The names of the files say which folder Packer is run in, which `.` is relative to.
    if let Some(corrected) = paths.corrected() {
        (log, paths) = (Log::default(), corrected);
        draft = self::draft(request, &stem, &paths, &log)?;
    }
    let from: Vec<String> = templates.iter().map(|source| file_name(&source.path)).collect();
    Ok(finish(draft, &from, &log, &paths, request))
}

/// Converts the files.
fn draft(request: &Request, stem: &str, paths: &Paths, log: &Log) -> Result<Draft, Refused> {
    let is_hcl = |source: &Source| hcl::is_template(&source.path) || hcl::is_variables(&source.path);
    let draft = if !request.files.is_empty() && request.files.iter().all(is_hcl) {
        let input = hcl::HclInput {
            files: &request.files,
            var_files: &request.var_files,
            sets: &request.sets,
            environment: &request.environment,
            now: request.now,
            paths,
        };
        let template = hcl::read(&input, log).map_err(|refused| hidden(refused, log))?;
        // The template already contains the values of its variables.
        let settings = packer::Settings { var_files: &[], sets: &[], now: request.now, file: "", stem, paths, log };
        packer::import(&template, &settings)
    } else {
        documents(request, stem, paths, log).map_err(|refused| hidden(refused, log))?
    };
    match exceeded(request, log) {
        Some(refused) => Err(hidden(refused, log)),
        None => Ok(draft),
    }
}

/// Why the import is refused after all: its budget was used up, with the line where.
fn exceeded(request: &Request, log: &Log) -> Option<Refused> {
    let (location, unsupported) = log.refused()?;
    let sources = sources(request);
    let span = span(&location, &sources, log);
    let message = if span.is_some() { unsupported.why } else { format!("{}: {}", location.path, unsupported.why) };
    let finding = Diagnostic::error("template", span, message).help(unsupported.help);
    Some(Refused { findings: vec![finding], sources })
}

/// The refusal without private values.
fn hidden(mut refused: Refused, log: &Log) -> Refused {
    log.private.hide(&mut refused.findings, &refused.sources);
    refused
}

/// Imports a template in JSON, or resources of Image Builder.
fn documents(request: &Request, stem: &str, paths: &Paths, log: &Log) -> Result<Draft, Refused> {
    let mut refused = Refused::default();
    let mut documents: Vec<Document> =
        request.files.iter().filter_map(|source| read::document(source, log, &mut refused)).collect();
    let var_files: Vec<InputValue> =
        request.var_files.iter().filter_map(|source| read::variables(source, &mut refused)).collect();
    let template = documents.iter().position(|document| matches!(document, Document::Packer(_)));
    if template.is_some() && documents.len() > 1 {
        let text = "a Packer template must be imported alone: it becomes a separate manifest";
        let help = "Import one template at a time. Pass variable files with `--var-file`.";
        refused.findings.push(Diagnostic::error("one-template", None, text).help(help));
    }
    refused.into_result()?;
    if let Some(at) = template
        && let Document::Packer(root) = documents.swap_remove(at)
    {
        let file = root.location.file.clone();
        let template = packer::template(root, log);
        let settings = packer::Settings {
            var_files: &var_files,
            sets: &request.sets,
            now: request.now,
            file: &file,
            stem,
            paths,
            log,
        };
        return Ok(packer::import(&template, &settings));
    }
    let documents: Vec<imagebuilder::Document> = documents
        .into_iter()
        .filter_map(|document| if let Document::ImageBuilder(document) = document { Some(document) } else { None })
        .collect();
    for file in &var_files {
        log.report_unused(file);
    }
    Ok(imagebuilder::import(&documents, &request.sets, stem, paths, log))
}

/// The folders that paths are relative to; `first` is the first file.
fn paths(request: &Request, first: Option<&Path>) -> Paths {
    let absolute = |path: &Path| normal(&request.working.join(path));
    let folder = first.and_then(Path::parent).unwrap_or(Path::new(""));
    // Files named on the command line may be anywhere.
    let named = request.files.iter().map(|source| request.working.join(&source.path));
    let allowed: Vec<PathBuf> =
        request.allow_files.iter().map(|path| request.working.join(path)).chain(named).collect();
    let input = absolute(folder);
    let access = FileAccess::around(&input, &allowed);
    let (working, output) = (normal(&request.working), absolute(&request.output));
    Paths { working, input, output, access, ..Paths::default() }
}

/// Checks the draft and writes it.
fn finish(mut draft: Draft, from: &[String], log: &Log, paths: &Paths, request: &Request) -> Imported {
    relocate(&mut draft, paths, log);
    let root = (draft.images() > 0).then(|| repair(&mut draft, paths, log));
    // Without an image that passes the check there is no manifest.
    let images = match root.as_ref().and_then(|root| root.get("images")) {
        Some(Value::Map(images)) => images.0.len(),
        _ => 0,
    };
    let root = root.filter(|_| images > 0).map(|mut root| {
        hoist_defaults(&mut root);
        hoist_run(&mut root);
        attach(&mut root, log.comments());
        root
    });
    let private = Arc::clone(&log.private);
    let (mut findings, missing) = log.report_all();
    findings.sort_by_key(|finding| finding.kind != FindingKind::Dropped);
    let variables = match root.as_ref().and_then(|root| root.get("vars")) {
        Some(Value::Map(vars)) => vars.0.iter().map(|entry| entry.key.clone()).collect(),
        _ => Vec::new(),
    };
    let text = root.map(|root| Draft::text(&draft.head, &root, from, &findings, &missing));
    let written = text.as_ref().map(|text| self::written(text, request, log)).unwrap_or_default();
    Imported {
        variables,
        manifest: text.map(|text| text.text),
        images,
        findings,
        missing,
        files: draft.files,
        private,
        written,
    }
}

/// The locations in the input from which parts of the manifest come.
fn written(text: &WrittenText, request: &Request, log: &Log) -> Written {
    let mut written = Written { sources: sources(request), ..Written::default() };
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    for (part, origin) in &text.parts {
        if let Some(span) = span(origin, &written.sources, log) {
            written.parts.push((offset(part.start)..offset(part.end), span));
        }
    }
    written
}

/// The files, to show places in them. Values of variable files are never shown.
fn sources(request: &Request) -> Sources {
    let mut sources = Sources::default();
    let (variables, templates): (Vec<&Source>, Vec<&Source>) =
        request.files.iter().partition(|source| hcl::is_variables(&source.path));
    for source in templates {
        sources.add(source.path.display().to_string(), source.text.as_str());
    }
    for source in variables.into_iter().chain(&request.var_files) {
        sources.add_private(source.path.display().to_string(), source.text.as_str());
    }
    sources
}

/// Where a value was written, when that is known.
fn span(location: &Location, sources: &Sources, log: &Log) -> Option<Span> {
    let (file, span) = (sources.find(&location.file)?, location.span.clone()?);
    let place = log.place(&location.file, span);
    Some(Span { file, start: place.start, end: place.end })
}

/// A file's name without its folder.
fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
