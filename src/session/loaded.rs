//! A manifest that was read, with its findings and the facts about the run.

use std::collections::BTreeMap;
use std::sync::Arc;

use ami_bake_component::Components;
use ami_bake_core::engine::BakeContext;
use ami_bake_core::event::Failure;
use ami_bake_core::mask::Masker;
use ami_bake_core::plan::Recipe;
use ami_bake_core::{Error, ErrorKind, Result, Run, SourceLocation};
use ami_bake_manifest::diagnostic::{self, Diagnostic, Sources, Span, Style};
use ami_bake_manifest::{Loaded as LoadedManifest, Manifest, Task};
use ami_bake_steps::StepRunner;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::run::Settings;
use crate::args::PlatformArgs;
use crate::error;
use crate::facts::Facts;
use crate::host::Host;
use crate::out::own;
use crate::program::Program;
use crate::report::{Explain, Show};
use crate::ui::Paint;

/// A manifest that was read, valid or not.
pub(crate) struct Loaded {
    name: String,
    manifest: Option<Arc<Manifest>>,
    findings: Vec<Diagnostic>,
    sources: Sources,
    facts: Facts,
}

impl Loaded {
    /// The manifest in the file `name`. Its declared secrets are known to `masker` from here on.
    pub(super) fn new(name: String, loaded: LoadedManifest, facts: Facts, masker: &Masker) -> Self {
        let LoadedManifest { manifest, findings, sources } = loaded;
        let loaded = Self { name, manifest: manifest.map(Arc::new), findings, sources, facts };
        for secret in loaded.known_secrets().values() {
            masker.add(secret.expose_secret());
        }
        loaded
    }

    /// The manifest's path as the user gave it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Facts about the commit and the workflow run.
    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The manifest, when it is valid.
    pub(crate) fn manifest(&self) -> Option<&Arc<Manifest>> {
        self.manifest.as_ref()
    }

    /// The number of errors.
    pub(crate) fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.is_error()).count()
    }

    /// The exit code: 3 when the manifest is invalid.
    pub(crate) fn exit_code(&self) -> u8 {
        if self.manifest.is_none() || self.errors() > 0 { ErrorKind::Manifest.exit_code() } else { 0 }
    }

    /// The findings as JSON.
    pub(crate) fn json(&self) -> Value {
        diagnostic::json(&self.findings, &self.sources)
    }

    /// Shows the findings, and in a workflow also annotates the lines of the manifest.
    pub(crate) fn show(&self, host: &dyn Host) {
        if self.findings.is_empty() {
            return;
        }
        host.say(&format!("{}\n", own(&diagnostic::text(&self.findings, &self.sources, style(host.ui().paint)))));
        host.annotate(&self.findings, &self.sources);
    }

    /// Formats failures of a bake with their line in the manifest, and in files that it names.
    pub(crate) fn explain(&self, host: &dyn Host) -> Explain {
        let (manifest, sources, paint) = (self.manifest.clone(), self.sources.clone(), host.ui().paint);
        Box::new(move |failure| explain(manifest.as_deref(), &sources, failure, paint))
    }

    /// The settings of a run that creates something; with `json` its events are printed as JSON.
    ///
    /// # Errors
    /// When a secret that the selected images need is not set.
    pub(crate) fn creating(&self, task: Task, host: &dyn Host, json: bool) -> Result<Settings> {
        Ok(Settings {
            show: if json { Show::Events } else { Show::All(self.explain(host)) },
            creates: true,
            report: None,
            logs: None,
            origin: self.origin(),
            secrets: self.secrets(task)?,
        })
    }

    /// Tags for everything that a run creates: the manifest's, and the origin of the run.
    fn origin(&self) -> BTreeMap<String, String> {
        let mut origin = self.manifest.iter().flat_map(|manifest| manifest.tags().clone()).collect::<BTreeMap<_, _>>();
        origin.extend(self.facts.origin());
        origin
    }

    /// The settings of a run that creates nothing, and prints its own result.
    pub(crate) fn reading(&self) -> Settings {
        Settings { origin: self.origin(), secrets: self.known_secrets(), ..Settings::reading(Show::Warnings) }
    }

    /// The values of the declared secrets; an empty one is valid.
    fn secrets(&self, task: Task) -> Result<BTreeMap<String, SecretString>> {
        let withheld = |manifest: &Arc<Manifest>| {
            manifest.used_secrets(task).into_iter().find_map(|name| manifest.env().withheld_secret(name))
        };
        if let Some(hidden) = self.manifest.as_ref().and_then(withheld) {
            return Err(Error::preflight(hidden.message).help(hidden.help));
        }
        let found = self.known_secrets();
        let names = self.manifest.iter().flat_map(|manifest| manifest.required_secrets(task));
        let missing: Vec<&str> = names.filter(|name| !found.contains_key(*name)).collect();
        if missing.is_empty() {
            // Secrets that may be unset are empty.
            let names = self.manifest.iter().flat_map(|manifest| manifest.secrets());
            let mut all: BTreeMap<_, _> = names.map(|name| (name.clone(), SecretString::from(""))).collect();
            all.extend(found);
            return Ok(all);
        }
        let hidden = |manifest: &Arc<Manifest>| missing.iter().find_map(|name| manifest.env().hidden_secret(name));
        if let Some(hidden) = self.manifest.as_ref().and_then(hidden) {
            return Err(Error::preflight(hidden.message).help(hidden.help));
        }
        let (are, variables) = if missing.len() == 1 { ("is", "variable") } else { ("are", "variables") };
        Err(Error::preflight(format!("{} {are} listed under `secrets` but not set", missing.join(", ")))
            .help(format!("Set the environment {variables}, or edit `secrets` in {}.", self.name)))
    }

    /// The values of declared secrets that are set, for runs that only mask them.
    fn known_secrets(&self) -> BTreeMap<String, SecretString> {
        let all = self.manifest.iter().flat_map(|manifest| manifest.secrets().iter().map(move |name| (manifest, name)));
        all.filter_map(|(manifest, name)| Some((name.clone(), SecretString::from(manifest.env().secret(name)?))))
            .collect()
    }

    /// The engine's context for baking `manifest`.
    ///
    /// # Errors
    /// When the platform can't be connected to.
    pub(crate) async fn context(
        &self,
        program: &Program,
        manifest: &Arc<Manifest>,
        args: PlatformArgs,
        run: &Run,
    ) -> Result<BakeContext> {
        let platform = program.connect(manifest.platform().as_str(), args.resolve(Some(manifest)), run).await?;
        let recipe: Arc<dyn Recipe> = Arc::clone(manifest) as Arc<dyn Recipe>;
        let provisioner = Arc::new(Components::new(Arc::new(StepRunner::default()), platform.services()));
        Ok(BakeContext { platform, recipe, provisioner })
    }
}

/// The code of a failure in the form of a finding's.
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

/// Formats a failure with its line in the manifest, its line in another file, its causes and its help.
fn explain(manifest: Option<&Manifest>, sources: &Sources, failure: &Failure, paint: Paint) -> String {
    let step = manifest.zip(failure.route.as_ref()).map(|(manifest, route)| manifest.span(route));
    let line = failure.place.as_ref().and_then(|location| line(sources, location));
    let finding = |span: Span| Diagnostic::error(code(failure.kind), span, failure.message.clone());
    let finding = match (line, step) {
        (Some(line), Some(step)) => Some(finding(line).related(step, "run by this step")),
        (line, step) => line.or(step).map(finding),
    };
    let shown = finding.map(|finding| own(&diagnostic::text(&[finding], sources, style(paint))));
    error::failure(failure, shown.as_deref(), paint)
}

fn line(sources: &Sources, location: &SourceLocation) -> Option<Span> {
    sources.line(sources.find(&location.file)?, location.line)
}
