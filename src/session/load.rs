//! Reads the manifest of a command.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use ami_bake_core::engine::VersionContext;
use ami_bake_core::plan::Recipe as _;
use ami_bake_core::{Error, Result};
use ami_bake_manifest::access::{EnvLimit, VisibleEnv};
use ami_bake_manifest::{Git, Github, Manifest, Options};
use jiff::Timestamp;

use super::imported;
use super::loaded::Loaded;
use crate::args::{AccessArgs, ManifestArgs, TargetArgs, VersionArgs};
use crate::facts::{Baking, Facts, ImageNames};
use crate::host::Host;
use crate::program::Program;

/// Default paths of the manifest.
const DEFAULT_PATHS: [&str; 2] = ["bake.yml", ".github/bake.yml"];

/// The purpose for which a manifest is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To check it: variables may be missing.
    Check,
    /// To bake the selected images and their bases.
    Bake,
    /// To use selected images that exist.
    Existing,
}

/// A manifest whose images are to be baked.
pub(crate) struct ToBake {
    /// The manifest.
    pub(crate) loaded: Loaded,
    /// The context for the versions of its images.
    pub(crate) context: VersionContext,
}

/// Reads the manifest that the flags name, to bake the images that the event is for. `None` when there are none, which
/// has been shown.
///
/// # Errors
/// When there is no such file, it must not be used here, or the event's tag can't be interpreted. Problems in the
/// manifest are findings.
pub(crate) fn load_to_bake(program: &Program, args: &TargetArgs, version: &VersionArgs) -> Result<Option<ToBake>> {
    let (manifest, region) = (&args.manifest, args.platform.region.as_deref());
    let loaded = load(program, manifest, region, Purpose::Bake)?;
    let Some(found) = loaded.manifest() else {
        return Ok(Some(ToBake { loaded, context: VersionContext::Default }));
    };
    let names = names(found);
    let (context, notices) = match program.host.baking(&find(manifest.manifest.as_deref())?, &names)? {
        Baking::Images { context, notices } => (context, notices),
        Baking::Nothing(why) if version.is_given() => {
            program.host.say(&format!("{why}; baking the version that was given\n"));
            return Ok(Some(ToBake { loaded, context: VersionContext::Default }));
        }
        Baking::Nothing(why) => {
            program.host.notice(&format!("{why}. Nothing to bake."));
            return Ok(None);
        }
    };
    for notice in &notices {
        program.host.notice(notice);
    }
    // A tag for one image does not bake the others.
    let only = match &context {
        VersionContext::Tag(tag) if !version.is_given() => tag.image.clone(),
        _ => None,
    };
    let loaded = match only {
        Some(image) => load(program, &ManifestArgs { image: vec![image], ..manifest.clone() }, region, Purpose::Bake)?,
        None => loaded,
    };
    Ok(Some(ToBake { loaded, context }))
}

/// The names of a manifest and of its selected images.
fn names(manifest: &Manifest) -> ImageNames {
    let mut images: Vec<String> = Vec::new();
    for variant in manifest.variants() {
        for name in [variant.key.image.clone(), variant.key.to_string()] {
            if !images.contains(&name) {
                images.push(name);
            }
        }
    }
    ImageNames { manifest: manifest.namespace().to_owned(), images }
}

/// Reads the manifest that the flags name.
///
/// # Errors
/// When there is no such file, or it must not be used here. Problems in it are findings.
pub(crate) fn load(program: &Program, args: &ManifestArgs, region: Option<&str>, purpose: Purpose) -> Result<Loaded> {
    let path = find(args.manifest.as_deref())?;
    if purpose != Purpose::Check {
        program.host.admit(&path)?;
    }
    if let Some(name) = args.platform.as_deref() {
        program.platforms.get(name)?;
    }
    let folder = if path.is_dir() { Some(path.as_path()) } else { path.parent() };
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let facts = program.host.facts(folder);
    let options = options(program, args, region, purpose, &facts);
    let loaded = imported::load(&path, &options)?.unwrap_or_else(|| Manifest::load(&path, &options));
    let loaded = Loaded::new(path.display().to_string(), loaded, facts, program.host.masker());
    if let Some(manifest) = loaded.manifest() {
        program.host.manifest_loaded(manifest);
    }
    Ok(loaded)
}

/// A manifest that this program generates around a component document.
pub(crate) struct Generated<'a> {
    /// Name of the manifest in messages.
    pub(crate) name: String,
    /// Text of the manifest; its paths are relative to the working directory.
    pub(crate) text: String,
    /// Purpose of the manifest.
    pub(crate) purpose: Purpose,
    /// The component document, which may be anywhere.
    pub(crate) document: &'a Path,
    /// Codes of findings that are to be ignored.
    pub(crate) ignored: &'a [&'a str],
}

/// Reads a generated manifest. Problems in it are findings.
pub(crate) fn load_generated(program: &Program, generated: &Generated<'_>) -> Loaded {
    let facts = program.host.facts(Path::new("."));
    let access = AccessArgs { allow_files: vec![generated.document.to_owned()], ..AccessArgs::default() };
    let args = ManifestArgs { access, ..ManifestArgs::default() };
    let options = options(program, &args, None, generated.purpose, &facts);
    let mut loaded = Manifest::load_text(&generated.name, &generated.text, PathBuf::new(), &options);
    loaded.findings.retain(|finding| !generated.ignored.contains(&finding.code));
    // The user never sees the lines of a generated manifest.
    let own = loaded.sources.find(&generated.name);
    for finding in loaded.findings.iter_mut().filter(|finding| finding.span.map(|span| span.file) == own) {
        finding.span = None;
    }
    Loaded::new(generated.name.clone(), loaded, facts, program.host.masker())
}

/// Finds the manifest.
///
/// # Errors
/// When the named file does not exist, or none is named and none is in a default place.
pub(crate) fn find(named: Option<&Path>) -> Result<PathBuf> {
    let Some(path) = named else {
        return DEFAULT_PATHS.iter().map(PathBuf::from).find(|path| path.is_file()).ok_or_else(|| {
            Error::usage("no manifest found: neither bake.yml nor .github/bake.yml exists here")
                .help("Specify a manifest, change to its folder, or create one with `ami-bake init`.")
        });
    };
    let name = path.display();
    if path.as_os_str() == "-" {
        return Err(Error::usage("a manifest is not read from standard input")
            .help("Write it to a file. Only `ami-bake import` reads `-`."));
    }
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() && !imported::holds_template(path) => {
            Err(Error::usage(format!("{name} is a folder, not a manifest"))
                .help(format!("Choose a file in it, such as {}.", path.join("bake.yml").display())))
        }
        Ok(_) => Ok(path.to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let error = Error::usage(format!("manifest {name} not found"));
            // A name without a dot or a slash is rather that of an image.
            let is_image = path.extension().is_none() && path.components().count() == 1;
            Err(if is_image && DEFAULT_PATHS.iter().any(|default| Path::new(default).is_file()) {
                error.help(format!("To choose an image of the manifest, use `--image {name}`."))
            } else {
                error.help("Choose another file, or create a manifest with `ami-bake init`.")
            })
        }
        Err(error) => Err(Error::usage(format!("could not read manifest {name}")).because(error)),
    }
}

fn options(program: &Program, args: &ManifestArgs, region: Option<&str>, purpose: Purpose, facts: &Facts) -> Options {
    let text = |fact: &Option<String>| fact.clone().unwrap_or_default();
    Options {
        environment: args.environment.clone(),
        platform: args.platform.clone(),
        region: region.map(str::to_owned),
        images: args.image.clone(),
        alone: purpose == Purpose::Existing,
        sets: args.variables.set.clone(),
        var_files: args.variables.var_file.clone(),
        env: environment(program.host.as_ref(), &args.access),
        allow_files: args.access.allow_files.clone(),
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
        capabilities: program.platforms.capabilities(),
        documents: Some(ami_bake_component::validate),
        check: purpose == Purpose::Check,
    }
}

/// The environment variables that manifests and templates can read, if they are valid UTF-8.
pub(crate) fn environment(host: &dyn Host, access: &AccessArgs) -> VisibleEnv {
    let values =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let limit = host.strangers().map(|why| EnvLimit { why, allowed: access.allow_env.iter().cloned().collect() });
    VisibleEnv::new(values.collect(), limit)
}
