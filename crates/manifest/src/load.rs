//! Loads a manifest, and reports all problems in it.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use ami_bake_core::Route;
use ami_bake_core::plan::{Price, VersionRule};
use serde_json::Value;

use crate::access::{FileAccess, FileError};
use crate::budget::{Budget, STEP};
use crate::check;
use crate::diagnostic::{Diagnostic, FileId, PrivateValues, Sources, Span, arrange, limit};
use crate::expression::lint;
use crate::family;
use crate::manifest::Manifest;
use crate::model::Platform;
use crate::needs;
use crate::options::Options;
use crate::resolve::Resolver;
use crate::schema::{SchemaValidator, coerce, validate};
use crate::tree::{self, Kind, Node};
use crate::variables::{Variables, file_scope, not_given, variables};
use crate::words;

/// Origins of the parts of a generated manifest.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// The files that the manifest was generated from.
    pub sources: Sources,
    /// Byte ranges of the text, each with the span that it comes from.
    pub parts: Vec<(Range<u32>, Span)>,
}

/// The result of loading a manifest.
pub struct Loaded {
    /// The manifest; `None` if there are errors.
    pub manifest: Option<Manifest>,
    /// All findings, in the order of the file.
    pub findings: Vec<Diagnostic>,
    /// The source files, for rendering the findings.
    pub sources: Sources,
}

impl Manifest {
    /// Loads a manifest file.
    pub fn load(path: &Path, options: &Options) -> Loaded {
        let shown = path.display().to_string();
        let shown = shown.strip_prefix("./").unwrap_or(&shown);
        if let Err(FileError::Forbidden { message, help }) = FileAccess::check_named(path, &options.allow_files) {
            return failed(Diagnostic::error("file-not-allowed", None, message).help(help));
        }
        match std::fs::read(path).map(String::from_utf8) {
            Ok(Ok(text)) => Self::load_text(shown, &text, folder_of(path), options),
            Ok(Err(error)) => {
                let at = error.utf8_error().valid_up_to();
                failed(
                    Diagnostic::error(
                        "unreadable",
                        None,
                        format!("could not read {shown}: invalid UTF-8 at byte {at}"),
                    )
                    .help("Save the file as UTF-8."),
                )
            }
            Err(error) => failed(Diagnostic::error("unreadable", None, format!("could not read {shown}: {error}"))),
        }
    }

    /// Loads a manifest that was generated from other files: findings point to the origins in `written`.
    pub fn load_generated(name: &str, text: &str, written: Written, folder: PathBuf, options: &Options) -> Loaded {
        let mut loading = Loading::new(written.sources, folder, options);
        let file = loading.sources.add(name, text);
        loading.sources.set_origins(file, written.parts);
        loading.finish(file, text)
    }

    /// Loads a manifest from text. `name` is the file name in messages; paths are relative to `folder`.
    pub fn load_text(name: &str, text: &str, folder: PathBuf, options: &Options) -> Loaded {
        let mut loading = Loading::new(Sources::default(), folder, options);
        let file = loading.sources.add(name, text);
        loading.finish(file, text)
    }
}

fn failed(finding: Diagnostic) -> Loaded {
    Loaded { manifest: None, findings: vec![finding], sources: Sources::default() }
}

/// The folder that paths are relative to: for `.github/bake.yml` it is the parent folder.
fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    if folder.file_name().is_some_and(|name| name == ".github") {
        return folder.parent().map(Path::to_path_buf).unwrap_or_default();
    }
    folder
}

/// Maximum number of values in all variants of all images, for all environments that are checked.
const VALUES: usize = 500_000;
const BUDGET: usize = VALUES * STEP;
/// Minimum cost of evaluating the file for one environment, in values.
const ENVIRONMENT: usize = 1000;

struct Loading<'a> {
    sources: Sources,
    findings: Vec<Diagnostic>,
    folder: PathBuf,
    files: FileAccess,
    /// Values that come from a file or the environment.
    private: Arc<PrivateValues>,
    budget: Budget,
    options: &'a Options,
}

impl<'a> Loading<'a> {
    fn new(sources: Sources, folder: PathBuf, options: &'a Options) -> Self {
        let files = FileAccess::around(&folder, &options.allow_files).for_strangers(options.env.strangers());
        let budget = Budget::new(BUDGET, 1);
        Loading { sources, findings: Vec::new(), folder, files, private: Arc::default(), budget, options }
    }

    fn finish(mut self, file: FileId, text: &str) -> Loaded {
        let manifest = self.run(file, text);
        let Loading { sources, mut findings, private, .. } = self;
        arrange(&mut findings);
        private.hide(&mut findings, &sources);
        let manifest = manifest.filter(|_| !findings.iter().any(Diagnostic::is_error));
        limit(&mut findings);
        Loaded { manifest, findings, sources }
    }

    fn run(&mut self, file: FileId, text: &str) -> Option<Manifest> {
        let tree = tree::parse(file, text, &mut self.findings);
        let Some(mut tree) = tree else {
            if self.findings.is_empty() {
                self.findings.push(
                    Diagnostic::error(
                        "empty",
                        crate::diagnostic::Span { file, start: 0, end: 0 },
                        "the manifest is empty",
                    )
                    .help("Create one with `ami-bake init`."),
                );
            }
            return None;
        };
        let document = SchemaValidator::document();
        coerce(document, &mut tree, &mut self.findings);
        validate(document, &tree, &tree.to_json(), &Route::root(), &mut self.findings);
        lint(&tree, &self.sources, &self.options.env, &mut self.findings);
        check::secrets(&tree, &mut self.findings);
        check::moving(&tree, &mut self.findings);
        check::inherit(&tree, &mut self.findings);
        check::graph(&tree, &mut self.findings);
        check::environments(&tree, &mut self.findings);
        if !matches!(tree.kind, Kind::Map(_)) || self.findings.iter().any(Diagnostic::is_error) {
            // Further checks would only repeat the errors about the structure.
            check::structure_only(&tree, &self.folder, &self.files, &mut self.findings);
            return None;
        }
        let environments = tree.get("environments").map(Node::entries).unwrap_or_default();
        if !self.options.check || self.options.environment.is_some() || environments.is_empty() {
            return self.validate(&tree, self.options);
        }
        // Without `--environment`, `check` validates every environment, and the file on its own if it is complete.
        let mut manifest = None;
        if check::complete(&tree, self.options) {
            manifest = self.validate(&tree, self.options);
        }
        for environment in environments {
            // Reported once; evaluating the remaining environments would be wasted work.
            if self.budget.left() == 0 {
                break;
            }
            let options = Options { environment: Some(environment.key.clone()), ..self.options.clone() };
            let validated = self.validate(&tree, &options);
            manifest = manifest.or(validated);
        }
        manifest
    }

    /// Resolves and validates the manifest for one environment.
    fn validate(&mut self, tree: &Node, options: &Options) -> Option<Manifest> {
        let before = self.findings.len();
        let manifest = self.resolve(tree, options);
        if let Some(manifest) = &manifest {
            check::images(manifest, &mut self.sources, &mut self.findings);
            // Unknown values can't be wrong: the source is found later, and variables may be set later.
            let later = |finding: &Diagnostic| {
                // Component documents were added after `manifest.sources` was copied; they contain no such values.
                let text = finding.span.map(|span| manifest.sources.slice(span)).unwrap_or_default();
                text.contains("source.") || manifest.missing.iter().any(|name| text.contains(&format!("vars.{name}")))
            };
            let new = self.findings.split_off(before);
            self.findings.extend(new.into_iter().filter(|finding| !later(finding)));
        }
        manifest
    }

    fn resolve(&mut self, tree: &Node, options: &Options) -> Option<Manifest> {
        if self.budget.spend_each(ENVIRONMENT + tree.size(), STEP).is_err() {
            self.findings.push(family::too_many(tree.span));
            return None;
        }
        let root = self.environment(tree, options)?;
        let platform = self.platform(&root)?;
        let mut scope = file_scope(options, platform.as_str());
        scope.private = Arc::clone(&self.private);
        let Variables { values, missing, private } =
            variables(tree.get("vars"), root.get("vars"), &scope, options, &mut self.sources, &mut self.findings);
        scope.set_vars(values, private);

        let mut field = |node: Option<&Node>, route: Route| -> Option<String> {
            let value = Resolver::plain(&self.sources, &scope).at(node?, &route, &mut self.findings);
            crate::expression::text(&value).filter(|text| !text.is_empty())
        };
        let route = Route::root();
        let aws = root.get("aws");
        let written_region = field(aws.and_then(|aws| aws.get("region")), route.key("aws").key("region"));
        let role = field(aws.and_then(|aws| aws.get("role")), route.key("aws").key("role"));
        let hourly = aws.and_then(|aws| aws.get("hourly")).map(Node::entries).unwrap_or_default().iter();
        let hourly = hourly
            .filter_map(|entry| {
                let route = route.key("aws").key("hourly").key(entry.key.as_str());
                Some((entry.key.clone(), Price::of_text(&field(Some(&entry.value), route)?)?))
            })
            .collect();
        let tags = aws.and_then(|aws| aws.get("tags")).map(Node::entries).unwrap_or_default().iter();
        let tags = tags
            .filter_map(|entry| {
                let route = route.key("aws").key("tags").key(entry.key.as_str());
                Some((entry.key.clone(), field(Some(&entry.value), route)?))
            })
            .collect();
        let version = field(root.get("version"), route.key("version"));
        let name = field(root.get("name"), route.key("name"));
        self.validate_settings(
            &root,
            &[("name", &name), ("version", &version)],
            &[("region", &written_region), ("role", &role)],
        );
        let region = options.region.clone().or(written_region);
        let namespace = name.or_else(|| self.default_name())?;
        scope.set("name", namespace.as_str());
        scope.set("region", region.clone().unwrap_or_default());
        scope.seal();
        let version = self.version(version.as_deref(), &root);
        let secrets = root.get("secrets").map(Node::items).unwrap_or_default();
        let secrets = secrets.iter().filter_map(Node::as_text).map(str::to_owned).collect();
        let mut manifest = Manifest {
            sources: self.sources.clone(),
            root,
            folder: self.folder.clone(),
            files: self.files.clone(),
            platform,
            namespace,
            version,
            region,
            role,
            hourly,
            tags,
            secrets,
            images: Vec::new(),
            scope,
            options: options.clone(),
            missing,
            validator: OnceLock::new(),
        };
        family::expand(&mut manifest, &self.budget, &mut self.findings);
        if !options.check {
            let missing = manifest.missing.iter().filter(|name| needs::variable(&manifest, name));
            self.findings.extend(missing.map(|name| not_given(name, tree.get("vars"))));
        }
        Some(manifest)
    }

    /// Validates the file's own settings after their expressions were evaluated.
    fn validate_settings(&mut self, root: &Node, top: &[(&str, &Option<String>)], aws: &[(&str, &Option<String>)]) {
        let written =
            |node: Option<&Node>| node.and_then(Node::as_text).is_some_and(crate::expression::Template::is_one);
        let below = root.get("aws");
        let any = top.iter().any(|(key, _)| written(root.get(key)))
            || aws.iter().any(|(key, _)| written(below.and_then(|below| below.get(key))));
        if !any {
            return;
        }
        let object = |fields: &[(&str, &Option<String>)]| -> serde_json::Map<String, Value> {
            fields.iter().filter_map(|(key, value)| Some(((*key).to_owned(), value.as_deref()?.into()))).collect()
        };
        let mut document = object(top);
        document.insert("format".to_owned(), 1.into());
        document.insert("images".to_owned(), serde_json::json!({ "image": {} }));
        document.insert("aws".to_owned(), object(aws).into());
        validate(SchemaValidator::document(), root, &document.into(), &Route::root(), &mut self.findings);
    }

    /// The file with the selected environment merged over it.
    fn environment(&mut self, tree: &Node, options: &Options) -> Option<Node> {
        let Some(name) = &options.environment else {
            return Some(tree.clone());
        };
        let environments = tree.get("environments");
        let Some(overlay) = environments.and_then(|environments| environments.get(name)) else {
            let known: Vec<&str> =
                environments.map(Node::entries).unwrap_or_default().iter().map(|entry| entry.key.as_str()).collect();
            let span = tree.entry("environments").map(|entry| entry.key_span);
            let finding =
                Diagnostic::error("unknown-environment", span, format!("the manifest has no environment `{name}`"));
            self.findings.push(finding.help(match words::near(name, known.iter().copied()) {
                Some(near) => format!("Did you mean `--environment {near}`?"),
                None if known.is_empty() => "Add it below `environments`.".to_owned(),
                None => format!("Available: {}.", words::list(&known, "and")),
            }));
            return None;
        };
        Some(tree.merged(overlay))
    }

    fn platform(&mut self, root: &Node) -> Option<Platform> {
        let written = root.get("platform");
        let word = match (&self.options.platform, written.and_then(Node::as_text)) {
            (Some(word), _) => word.clone(),
            (None, Some(word)) => word.to_owned(),
            (None, None) => return Some(Platform::default()),
        };
        let span = written.map(|node| node.span);
        if let Ok(platform) = serde_json::from_value::<Platform>(Value::from(word.as_str())) {
            let built_in = &self.options.capabilities;
            if built_in.is_empty() || built_in.iter().any(|known| known.platform == platform.as_str()) {
                return Some(platform);
            }
            let known: Vec<&str> = built_in.iter().map(|known| known.platform).collect();
            let finding = Diagnostic::error(
                "not-supported-yet",
                span,
                format!("this ami-bake was built without the platform `{word}`"),
            );
            self.findings.push(finding.help(format!("Available: {}.", words::list(&known, "and"))));
            return None;
        }
        let finding = Diagnostic::error("unknown-platform", span, format!("unknown platform `{word}`"));
        let names = words::list(&Platform::ALL.map(Platform::as_str), "and");
        self.findings.push(finding.help(format!("Platforms: {names}. Expressions are not supported here.")));
        None
    }

    fn default_name(&mut self) -> Option<String> {
        let repository = self.options.github.repository.rsplit('/').next().unwrap_or_default().to_owned();
        if !repository.is_empty() {
            return Some(repository);
        }
        let folder = if self.folder.as_os_str().is_empty() { Path::new(".") } else { &self.folder };
        let name = folder
            .canonicalize()
            .ok()
            .and_then(|folder| folder.file_name().map(|name| name.to_string_lossy().into_owned()));
        if name.is_none() {
            self.findings.push(
                Diagnostic::error("missing-key", None, "the manifest has no `name`")
                    .help("Add `name`: the namespace of the images."),
            );
        }
        // Folder names can contain characters that image names cannot.
        name.map(|name| {
            name.chars()
                .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' })
                .collect()
        })
    }

    fn version(&mut self, text: Option<&str>, root: &Node) -> VersionRule {
        match text {
            None | Some("auto") => VersionRule::Auto,
            Some("release") => VersionRule::Release,
            Some(text) => match semver::Version::parse(text.strip_prefix('v').unwrap_or(text)) {
                Ok(version) => VersionRule::Fixed(version),
                Err(error) => {
                    let span = root.get("version").map(|node| node.span);
                    self.findings.push(
                        Diagnostic::error("wrong-value", span, format!("`{text}` is not a valid version: {error}"))
                            .help("Write `auto`, `release` or a semantic version such as 1.4.0."),
                    );
                    VersionRule::Auto
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Style, text};

    fn shown(manifest: &str) -> String {
        let loaded = Manifest::load_text("bake.yml", manifest, PathBuf::new(), &Options::default());
        text(&loaded.findings, &loaded.sources, Style::Plain)
    }

    #[test]
    fn a_simple_manifest_loads() {
        let manifest = "format: 1\nname: shop\nvars: {nginx: \"1.24\"}\nimages:\n  base:\n    source:\n      ami: {owner: \"099720109477\", name: \"ubuntu-*\"}\n    build:\n      - run: apt-get install -y nginx=${{ vars.nginx }}\n        timeout: 10m\n  web:\n    source: {image: base}\n    test:\n      - expect: {service: nginx}\n      - expect: {http: {port: 80}}\n";
        let loaded = Manifest::load_text("bake.yml", manifest, PathBuf::new(), &Options::default());
        let shown = text(&loaded.findings, &loaded.sources, Style::Plain);
        let manifest = loaded.manifest.unwrap_or_else(|| panic!("{shown}"));
        let keys: Vec<String> = manifest.variants().iter().map(|variant| variant.key.to_string()).collect();
        assert_eq!(keys, ["base", "web"]);
    }

    #[test]
    fn problems_come_in_one_go() {
        let out = shown(
            "format: 1\nimages:\n  web:\n    sorce: {image: base}\n    build:\n      - run: echo\n        upload: x\n      - runn: echo\n      - run: echo ${{ vars.x }}\n        timeout: 10 minuets\n",
        );
        println!("{out}");
        assert!(out.contains("unknown key `sorce`"), "{out}");
        assert!(out.contains("two step types in one step"), "{out}");
        assert!(out.contains("`10 minuets` is not a valid duration"), "{out}");
        assert!(out.contains("unknown variable `x`"), "{out}");
    }
}
