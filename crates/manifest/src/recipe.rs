//! Implements the engine's `Recipe` for a manifest.

use std::path::Path;
use std::sync::Arc;

use ami_bake_core::plan::{
    Deployment, Digest, DigestParts, Distribution, Draft, ImageDefinition, ImageKey, ImagePlan, ImageSettings,
    MachineSettings, ReadInputs, Recipe, SourceImage, SourceQuery, Variant,
};
use ami_bake_core::{Error, Result, Route};
use semver::Version;

use crate::diagnostic::Diagnostic;
use crate::lower;
use crate::manifest::Manifest;
use crate::model::{Image, Platform};
use crate::needs;
use crate::resolve::Resolver;
use crate::tree::Node;
use crate::variant::{Evaluated, PHASES};

impl Recipe for Manifest {
    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn drafts(self: Arc<Self>) -> Vec<Draft> {
        let definition = |key: &ImageKey| Arc::new(Definition { manifest: Arc::clone(&self), key: key.clone() });
        self.variants().into_iter().map(|variant| Draft::new(variant.clone(), definition(&variant.key))).collect()
    }
}

/// The manifest's definition of one image.
struct Definition {
    manifest: Arc<Manifest>,
    key: ImageKey,
}

impl ImageDefinition for Definition {
    fn evaluate(&self, source: &SourceImage, version: &Version) -> Result<ImagePlan> {
        let mut findings = Vec::new();
        let plan = self.manifest.lower(&self.key, source, version, &mut findings);
        plan.ok_or_else(|| self.manifest.failure(&self.key, &findings))
    }

    fn read(&self, plan: &ImagePlan) -> Result<ReadInputs> {
        let read = lower::digest(plan, &self.manifest.files)?;
        let folder = &self.manifest.folder;
        let parts = read.parts.with_paths(|path| shown(Path::new(path), folder));
        let Some((image, _)) = self.manifest.variant(&self.key) else { return Ok(ReadInputs { parts, ..read }) };
        let used = needs::variables_in_digest(&image.node);
        let values = used.iter().filter_map(|name| Some((name.as_str(), self.manifest.scope.var(name)?.to_string())));
        Ok(ReadInputs { parts: parts.with_variables(values), ..read })
    }
}

/// A path as the manifest would write it. Elsewhere than below its folder, the name says enough: no path of this computer gets
/// into tags and reports.
fn shown(path: &Path, folder: &Path) -> String {
    let real = || std::fs::canonicalize(folder).ok().and_then(|real| path.strip_prefix(real).ok());
    let below = path.strip_prefix(folder).ok().filter(|below| below.is_relative()).or_else(real);
    below
        .map_or_else(|| path.file_name().unwrap_or_default().display().to_string(), |below| below.display().to_string())
}

impl Manifest {
    /// The selected images and variants, each after its base.
    pub fn variants(&self) -> Vec<Variant> {
        let variants = self.images.iter().flat_map(|image| &image.variants).filter(|variant| variant.selected);
        variants
            .map(|variant| Variant {
                key: variant.key.clone(),
                route: Route::root().key("images").key(variant.key.image.as_str()),
                source: variant.source.clone(),
                after: variant.after.clone(),
                version: self.version.clone(),
            })
            .collect()
    }

    /// The distributions of the selected images, as far as they are known without a source: those of a final version.
    pub fn distributions(&self) -> Vec<Distribution> {
        self.outlines(&Version::new(1, 0, 0)).into_iter().map(|(_, plan)| plan.settings.distribution).collect()
    }

    /// The deployments of the selected images, as far as they are known without a source.
    pub fn deployments(&self) -> Vec<Deployment> {
        self.outlines(&Version::new(1, 0, 0)).into_iter().flat_map(|(_, plan)| plan.settings.deployments).collect()
    }

    /// The plans of the selected images for this version, as far as they are known without a source, each with its
    /// source query. The plans have no digest.
    pub fn outlines(&self, version: &Version) -> Vec<(SourceQuery, ImagePlan)> {
        let source = SourceImage::default();
        let of =
            |variant: Variant| Some((variant.source, self.lower(&variant.key, &source, version, &mut Vec::new())?));
        self.variants().into_iter().filter_map(of).collect()
    }

    /// Lowers a variant to a plan without digest; `None` after an error, which is among the findings.
    pub(crate) fn lower(
        &self,
        key: &ImageKey,
        source: &SourceImage,
        version: &Version,
        findings: &mut Vec<Diagnostic>,
    ) -> Option<ImagePlan> {
        let (image, variant) = self.variant(key)?;
        let scope = self.planned_scope(key, variant, source, version);
        let Evaluated { image: typed, steps } = self.evaluate(image, &scope, findings)?;
        let route = Route::root().key("images").key(image.name.as_str());
        let machine = match lower::machine(typed.machine.as_ref(), &self.folder, &self.files) {
            Ok(machine) => MachineSettings { hourly: self.hourly.clone(), ..machine },
            Err(message) => {
                let at = Route::root().key("machine").key("policy");
                findings.push(
                    Diagnostic::error("policy", image.node.place(&at), message)
                        .route(route.key("machine").key("policy")),
                );
                return None;
            }
        };
        // Images of a pull request or a side branch are not published, unless the manifest says so explicitly.
        let published = match image.node.get("publish").and_then(|publish| publish.get("if")) {
            None => version.pre.is_empty(),
            condition => {
                let resolver = Resolver::plain(&self.sources, &scope);
                resolver.condition(condition, &route.key("publish").key("if"), findings)
            }
        };
        let mut settings = self.settings(&typed, key, version, published);
        if self.is_foreign() {
            settings.distribution.writes.clear();
        }
        settings.test_connect = typed.test_connect.as_ref().map(|connect| lower::test_connect(connect, &self.folder));
        // On other platforms deployments are replaced by a single note.
        if self.deploys() {
            let list = image.node.get("deploy").map(Node::items).unwrap_or_default();
            settings.deployments = list
                .iter()
                .zip(&typed.deploy)
                .enumerate()
                .map(|(index, (node, entry))| {
                    let route = route.key("deploy").index(index);
                    let wanted = match node.get("if") {
                        None => version.pre.is_empty(),
                        condition => {
                            Resolver::plain(&self.sources, &scope).condition(condition, &route.key("if"), findings)
                        }
                    };
                    lower::deployment(entry, wanted, route)
                })
                .collect();
        }
        let [build, validate, test] = steps;
        let user = machine.user.clone();
        let lowered = |at: usize, list| {
            lower::steps(list, PHASES[at], &route.key(PHASES[at].as_str()), &self.folder, user.as_deref())
        };
        Some(ImagePlan {
            key: key.clone(),
            namespace: self.namespace.clone(),
            source: source.clone(),
            machine,
            build: lowered(0, build),
            validate: lowered(1, validate),
            test: lowered(2, test),
            settings,
            version: version.clone(),
            digest: Digest::from_text(""),
            parts: DigestParts::default(),
            route,
        })
    }

    /// Whether the platform supports `deploy`.
    fn deploys(&self) -> bool {
        let known = self.options.capabilities.iter().find(|known| known.platform == self.platform.as_str());
        known.is_none_or(|known| known.deploy)
    }

    /// The settings of an image. If the platform comes from `--platform` and lacks the capture mode, its own is used
    /// instead.
    fn settings(&self, image: &Image, key: &ImageKey, version: &Version, published: bool) -> ImageSettings {
        let mut settings = lower::settings(image, &self.namespace, key, version, published);
        if self.platform != Platform::Docker {
            settings.container = None;
        }
        // Only there do environments share the images of an account.
        if self.platform == Platform::Aws && published {
            settings.distribution.environment.clone_from(&self.options.environment);
        }
        let known = self.options.capabilities.iter().find(|known| known.platform == self.platform.as_str());
        if self.is_foreign()
            && let Some(first) = known
                .filter(|known| !known.captures.contains(&settings.capture))
                .and_then(|known| known.captures.first())
        {
            settings.capture = *first;
        }
        settings
    }

    /// The first finding as an error of the run.
    fn failure(&self, key: &ImageKey, findings: &[Diagnostic]) -> Error {
        let mut first: Vec<Diagnostic> =
            findings.iter().filter(|finding| finding.is_error()).take(1).cloned().collect();
        self.scope.private.hide(&mut first, &self.sources);
        let Some(finding) = first.first() else {
            return Error::internal(format!("the manifest has no image {key} to plan"));
        };
        let place = finding.span.map(|span| {
            let span = self.sources.origin(span);
            let at = self.sources.position(span.file, span.start);
            format!("{}:{}:{}: ", self.sources.name(span.file), at.line, at.column)
        });
        let error =
            Error::manifest(format!("{}{}", place.unwrap_or_default(), finding.message)).at(finding.route.clone());
        match &finding.help {
            Some(help) => error.help(help.as_str()),
            None => error,
        }
    }
}
