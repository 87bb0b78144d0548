//! The manifest of a command, with its findings, and what else it says about a run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ami_bake_component::Components;
use ami_bake_core::engine::BakeContext;
use ami_bake_core::event::Failure;
use ami_bake_core::plan::Recipe;
use ami_bake_core::{Error, ErrorKind, Result, Run, SourceLocation};
use ami_bake_manifest::diagnostic::{self, Diagnostic, Sources, Span, Style};
use ami_bake_manifest::{Git, Github, Manifest, Options};
use ami_bake_steps::StepRunner;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use crate::cli::{ManifestArgs, PlaceArgs};
use crate::facts::Facts;
use crate::report::Explain;
use crate::session::imported;
use crate::ui::{Paint, Ui};
use crate::{error, wire};

/// Where a manifest is looked for when none is named.
const DEFAULT_PATHS: [&str; 2] = ["bake.yml", ".github/bake.yml"];

/// A manifest that was read, valid or not.
pub(crate) struct Loaded {
    name: String,
    manifest: Option<Arc<Manifest>>,
    findings: Vec<Diagnostic>,
    sources: Sources,
    facts: Facts,
}

/// Reads the manifest that the flags name. `check`: nothing is going to be baked, so that variables may be missing.
///
/// # Errors
/// When there is no such file; what is wrong in it are findings.
pub(crate) fn load(args: &ManifestArgs, region: Option<&str>, check: bool) -> Result<Loaded> {
    let path = find(args.manifest.as_deref())?;
    if let Some(name) = args.platform.as_deref().filter(|name| wire::capabilities(name).is_none()) {
        return Err(wire::unknown(name));
    }
    let folder = if path.is_dir() { Some(path.as_path()) } else { path.parent() };
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let facts = Facts::gather(folder);
    let options = options(args, region, check, &facts);
    let loaded = imported::load(&path, &options)?.unwrap_or_else(|| Manifest::load(&path, &options));
    let name = path.display().to_string();
    let manifest = loaded.manifest.map(Arc::new);
    #[cfg(feature = "github")]
    if let (Some(action), Some(manifest)) = (crate::action::current(), &manifest) {
        action.remember(manifest);
    }
    Ok(Loaded { name, manifest, findings: loaded.findings, sources: loaded.sources, facts })
}

/// A manifest that this program writes by itself, around a document.
pub(crate) struct Written<'a> {
    /// Its name in messages.
    pub(crate) name: String,
    /// Its text; paths in it are relative to the working directory.
    pub(crate) text: String,
    /// Nothing is going to be baked.
    pub(crate) check: bool,
    /// Codes of findings that mean nothing in it.
    pub(crate) quiet: &'a [&'a str],
}

/// Reads a manifest of this program's own; what is wrong in it are findings.
pub(crate) fn write(written: &Written<'_>) -> Loaded {
    let facts = Facts::gather(Path::new("."));
    let args = ManifestArgs {
        manifest: None,
        image: Vec::new(),
        platform: None,
        environment: None,
        set: Vec::new(),
        var_file: Vec::new(),
    };
    let options = options(&args, None, written.check, &facts);
    let mut loaded = Manifest::load_text(&written.name, &written.text, PathBuf::new(), &options);
    loaded.findings.retain(|finding| !written.quiet.contains(&finding.code));
    // Nobody has ever seen its lines.
    let own = loaded.sources.find(&written.name);
    for finding in loaded.findings.iter_mut().filter(|finding| finding.span.map(|span| span.file) == own) {
        finding.span = None;
    }
    Loaded {
        name: written.name.clone(),
        manifest: loaded.manifest.map(Arc::new),
        findings: loaded.findings,
        sources: loaded.sources,
        facts,
    }
}

/// The manifest's path.
///
/// # Errors
/// When none is named and none is in a default place.
pub(crate) fn find(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(path) = named {
        return match std::fs::metadata(path) {
            Ok(meta) if meta.is_dir() && imported::holds_template(path) => Ok(path.to_owned()),
            Ok(meta) if meta.is_dir() => Err(Error::usage(format!("{} is a folder, not a manifest", path.display()))
                .help(format!("Name the file in it, such as {}.", path.join("bake.yml").display()))),
            Ok(_) => Ok(path.to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Error::usage(format!("there is no manifest {}", path.display()))
                    .help("Name another file, or write a first one with `ami-bake init`."))
            }
            Err(error) => Err(Error::usage(format!("read the manifest {}", path.display())).because(error)),
        };
    }
    DEFAULT_PATHS.iter().map(PathBuf::from).find(|path| path.is_file()).ok_or_else(|| {
        Error::usage("there is no manifest here: neither bake.yml nor .github/bake.yml")
            .help("Name one, go to its folder, or write a first one with `ami-bake init`.")
    })
}

fn options(args: &ManifestArgs, region: Option<&str>, check: bool, facts: &Facts) -> Options {
    let text = |fact: &Option<String>| fact.clone().unwrap_or_default();
    Options {
        environment: args.environment.clone(),
        platform: args.platform.clone(),
        region: region.map(str::to_owned),
        images: args.image.clone(),
        sets: args.set.clone(),
        var_files: args.var_file.clone(),
        env: environment(),
        now: Timestamp::now(),
        git: Git {
            sha: text(&facts.sha),
            r#ref: text(&facts.reference),
            branch: text(&facts.branch),
            tag: text(&facts.tag),
        },
        github: Github {
            run_id: text(&facts.run_id),
            actor: text(&facts.actor),
            repository: text(&facts.repository),
            pr: facts.pull_request.map(|number| number.to_string()).unwrap_or_default(),
        },
        capabilities: wire::PLATFORMS.iter().filter_map(|name| wire::capabilities(name)).collect(),
        documents: Some(ami_bake_component::validate),
        check,
    }
}

/// The environment as far as it is text.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

impl Loaded {
    /// The manifest's path as it was given.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What is known about commit and workflow run.
    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The manifest, when it is valid.
    pub(crate) fn manifest(&self) -> Option<&Arc<Manifest>> {
        self.manifest.as_ref()
    }

    /// How many findings there are that make the manifest unusable.
    pub(crate) fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.is_error()).count()
    }

    /// 3 when the manifest is invalid.
    pub(crate) fn exit_code(&self) -> u8 {
        if self.manifest.is_none() || self.errors() > 0 { ErrorKind::Manifest.exit_code() } else { 0 }
    }

    /// The findings as JSON.
    pub(crate) fn json(&self) -> Value {
        diagnostic::json(&self.findings, &self.sources)
    }

    /// Shows the findings: to people, and in a workflow as annotations of the manifest's lines too.
    pub(crate) fn show(&self, ui: Ui) {
        if self.findings.is_empty() {
            return;
        }
        ui.say(&format!("{}\n", diagnostic::text(&self.findings, &self.sources, style(ui.paint))));
        #[cfg(feature = "github")]
        match crate::action::current() {
            Some(action) => action.findings(&self.findings, &self.sources),
            None if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") => {
                for annotation in crate::action::of_findings(&self.findings, &self.sources) {
                    ui.data(&format!("{}\n", annotation.command()));
                }
            }
            None => {}
        }
    }

    /// Shows failures of a bake with their place in the manifest, and in the file that it names.
    pub(crate) fn explain(&self, ui: Ui) -> Explain {
        let (manifest, sources) = (self.manifest.clone(), self.sources.clone());
        Box::new(move |failure| explain(manifest.as_deref(), &sources, failure, ui.paint))
    }

    /// The values of the declared secrets.
    ///
    /// # Errors
    /// Names every one that is not set.
    pub(crate) fn secrets(&self) -> Result<BTreeMap<String, SecretString>> {
        let found = self.known_secrets();
        let names = self.manifest.iter().flat_map(|manifest| manifest.secrets());
        let missing: Vec<&str> = names.filter(|name| !found.contains_key(*name)).map(String::as_str).collect();
        if missing.is_empty() {
            return Ok(found);
        }
        let (is, variable) = if missing.len() == 1 { ("is", "the variable") } else { ("are", "the variables") };
        Err(Error::preflight(format!("{} {is} declared as secret but not set in the environment", missing.join(", ")))
            .help(format!("Set {variable}, or take the name out of `secrets` in {}.", self.name)))
    }

    /// The values of those declared secrets that are set, for commands that only need to hide them.
    pub(crate) fn known_secrets(&self) -> BTreeMap<String, SecretString> {
        let names = self.manifest.iter().flat_map(|manifest| manifest.secrets());
        names
            .filter_map(|name| {
                let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
                Some((name.clone(), SecretString::from(value)))
            })
            .collect()
    }

    /// The context of a run over `manifest`.
    ///
    /// # Errors
    /// When the platform can't be made ready.
    pub(crate) async fn context(&self, manifest: &Arc<Manifest>, place: PlaceArgs, run: &Run) -> Result<BakeContext> {
        let place = wire::Place::of(place, Some(manifest));
        let platform = wire::platform(manifest.platform().as_str(), place, run).await?;
        let recipe: Arc<dyn Recipe> = Arc::clone(manifest) as Arc<dyn Recipe>;
        let provisioner = Arc::new(Components::new(Arc::new(StepRunner::default()), platform.services()));
        Ok(BakeContext { platform, recipe, provisioner })
    }
}

/// What a failure is called beside its place.
fn code(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Manifest => "manifest",
        ErrorKind::Preflight => "refused",
        ErrorKind::Build => "build-failed",
        ErrorKind::Test => "test-failed",
        ErrorKind::Publish => "publish-failed",
        ErrorKind::Deploy => "deploy-failed",
        ErrorKind::Internal | ErrorKind::Usage | ErrorKind::Cancelled => "failed",
    }
}

fn style(paint: Paint) -> Style {
    if paint.on { Style::Coloured } else { Style::Plain }
}

/// A failure with its line of the manifest, and of the file that it is about, its causes and its help.
fn explain(manifest: Option<&Manifest>, sources: &Sources, failure: &Failure, paint: Paint) -> String {
    let step = manifest.zip(failure.route.as_ref()).map(|(manifest, route)| manifest.span(route));
    let line = failure.place.as_ref().and_then(|place| line(sources, place));
    let finding = |span: Span| Diagnostic::error(code(failure.kind), span, failure.message.clone());
    let finding = match (line, step) {
        (Some(line), Some(step)) => Some(finding(line).related(step, "run by this step")),
        (line, step) => line.or(step).map(finding),
    };
    let shown = finding.map(|finding| diagnostic::text(&[finding], sources, style(paint)));
    error::failure(failure, shown.as_deref(), paint)
}

fn line(sources: &Sources, place: &SourceLocation) -> Option<Span> {
    sources.line(sources.find(&place.file)?, place.line)
}
