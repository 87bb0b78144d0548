//! `ami-bake component run`, `ami-bake component check`

use std::path::{Path, PathBuf};

use ami_bake_core::engine::{self, Options};
use ami_bake_core::event::Failure;
use ami_bake_core::{Error, Result};
use clap::{Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use crate::cli::{PlaceArgs, assignment};
use crate::session::{Loaded, Parts, Session, Show, Written, write};
use crate::ui::Ui;

/// Run or check an Image Builder component document by itself
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(RunArgs),
    Check(CheckArgs),
}

/// Run a component document on a fresh machine, which is gone afterwards
///
/// All of its phases run on one machine, in the document's own order, and no image is made of it. A bake runs the phase
/// `test` on another machine, which booted the image.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake component run components/web.yml
  ami-bake component run components/web.yml --phase build --with Version=1.26
  ami-bake component run components/web.yml --platform docker --source debian:12
  ami-bake component run components/web.yml --platform aws --source ami-0123456789abcdef0 --keep-on-failure")]
struct RunArgs {
    #[command(flatten)]
    document: DocumentArgs,

    /// The platform of the machine: aws, docker or local
    #[arg(long, value_name = "PLATFORM", default_value = "local")]
    platform: String,

    /// What the machine starts from: `host`, a folder, a tarball or a baked image such as shop/base on local, an image on
    /// docker, an AMI's id or the name of its SSM parameter on aws
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,

    #[command(flatten)]
    place: PlaceArgs,

    /// When a step fails, keep the machine for two hours and write its key into FOLDER (default: the working directory)
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, require_equals = true, default_missing_value = ".")]
    keep_on_failure: Option<PathBuf>,

    /// Print every event as a line of JSON instead of text for people
    #[arg(long)]
    json: bool,
}

/// Find everything that is wrong with a component document, without a machine
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake component check components/web.yml
  ami-bake component check components/web.yml --platform local     does it need S3?")]
struct CheckArgs {
    #[command(flatten)]
    document: DocumentArgs,

    /// The platform that it would run on: aws, docker or local
    #[arg(long, value_name = "PLATFORM", default_value = crate::wire::PLATFORMS[0])]
    platform: String,

    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// The document, and what it is given.
#[derive(Debug, clap::Args)]
struct DocumentArgs {
    /// The component document
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Only this phase; may be repeated
    #[arg(long, value_enum, value_name = "PHASE")]
    phase: Vec<PhaseArg>,

    /// Give a parameter of the document a value; may be repeated
    #[arg(long, visible_alias = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    with: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PhaseArg {
    /// Makes the image
    Build,
    /// Looks at the build machine
    Validate,
    /// Looks at a machine that booted the image
    Test,
}

impl PhaseArg {
    fn name(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Validate => "validate",
            Self::Test => "test",
        }
    }
}

pub(crate) async fn run(args: Args, ui: Ui) -> Result<u8> {
    match args.verb {
        Verb::Run(args) => run_alone(args, ui).await,
        Verb::Check(args) => check(&args, ui),
    }
}

async fn run_alone(args: RunArgs, ui: Ui) -> Result<u8> {
    let source = match (&args.source, args.platform.as_str()) {
        (Some(source), _) => source.clone(),
        (None, "local") => "host".to_owned(),
        (None, platform) => {
            return Err(Error::usage(format!("say what the machine on {platform} starts from"))
                .help("Give --source with an image, such as debian:12 on docker or ami-0123456789abcdef0 on aws."));
        }
    };
    let region = args.place.region.as_deref();
    let loaded = load(&args.document, &args.platform, &source, region, false)?;
    loaded.show(ui);
    let Some(manifest) = loaded.manifest() else { return Ok(loaded.exit_code()) };
    let parts = Parts {
        show: if args.json {
            Show::Events
        } else {
            // The manifest around the document is none of the reader's.
            let explain = loaded.explain(ui);
            Show::All(Box::new(move |failure| explain(&Failure { route: None, ..failure.clone() })))
        },
        creates: true,
        report: None,
        origin: loaded.facts().origin(),
        secrets: loaded.secrets()?,
    };
    let session = Session::begin(parts, ui)?;
    let options = Options {
        force: true,
        until_validate: true,
        keep_on_failure: args.keep_on_failure.map(Into::into),
        ..Options::default()
    };
    let code = match loaded.context(manifest, args.place, &session.run).await {
        Ok(context) => engine::bake(&session.run, &context, &options).await,
        Err(error) => return session.fail(error).await,
    };
    Ok(session.end(code).await)
}

fn check(args: &CheckArgs, ui: Ui) -> Result<u8> {
    let loaded = load(&args.document, &args.platform, "host", None, true)?;
    if args.json {
        let report = json!({
            "format": 1,
            "document": args.document.file.display().to_string(),
            "valid": loaded.errors() == 0,
            "findings": loaded.json(),
        });
        ui.data(&format!("{report:#}\n"));
    } else {
        loaded.show(ui);
        let name = args.document.file.display();
        let verdict = match loaded.errors() {
            0 => ui.paint.good("valid").to_string(),
            1 => ui.paint.bad("1 error").to_string(),
            errors => ui.paint.bad(&format!("{errors} errors")).to_string(),
        };
        ui.say(&format!("{name}: {verdict}\n"));
    }
    // A parameter without a value is no fault of the document's, though no plan comes of it.
    Ok(if loaded.errors() == 0 { 0 } else { loaded.exit_code() })
}

/// A manifest of one image, of which the document is all.
fn load(args: &DocumentArgs, platform: &str, source: &str, region: Option<&str>, check: bool) -> Result<Loaded> {
    if crate::wire::capabilities(platform).is_none() {
        return Err(crate::wire::unknown(platform));
    }
    let text = std::fs::read_to_string(&args.file)
        .map_err(|error| Error::usage(format!("read the component document {}", args.file.display())).because(error))?;
    let name = name(&args.file);
    let phases: Vec<&str> = if args.phase.is_empty() {
        ami_bake_component::phases(&text)
    } else {
        args.phase.iter().map(|phase| phase.name()).collect()
    };
    let mut step = Map::new();
    step.insert("name".to_owned(), "document".into());
    step.insert("component".to_owned(), args.file.display().to_string().into());
    if !args.with.is_empty() {
        let with: Map<String, Value> =
            args.with.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        step.insert("with".to_owned(), with.into());
    }
    if !phases.is_empty() {
        step.insert("phases".to_owned(), phases.into());
    }
    let source = match platform {
        "aws" if check => json!({ "ami": { "id": "ami-00000000000000000" } }),
        "aws" if source.starts_with('/') => json!({ "ami": { "parameter": source } }),
        "aws" => json!({ "ami": { "id": source } }),
        "local" if source != "host" && !check && !Path::new(source).exists() => baked(source),
        other => json!({ other: source }),
    };
    let image = json!({ "source": source, "build": [step] });
    let mut manifest = json!({ "format": 1, "name": "component", "platform": platform, "images": { &name: image } });
    if let (Some(region), "aws") = (region, platform) {
        manifest["aws"] = json!({ "region": region });
    }
    Ok(write(&Written {
        name: format!("{} (as a step)", args.file.display()),
        text: format!("{manifest:#}\n"),
        check,
        // Which phases run is said on the command line, and values may still come.
        quiet: if check { &["unused-phase", "missing-parameter"] } else { &["unused-phase"] },
    }))
}

/// An image that was baked before, as `NAMESPACE/IMAGE` or with a version behind it.
fn baked(name: &str) -> Value {
    let mut parts = name.splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(from), Some(image), None) => json!({ "from": from, "image": image }),
        (Some(from), Some(image), Some(version)) => {
            json!({ "from": from, "image": image, "version": format!("={version}") })
        }
        // No image has such a name: it is told as a file that isn't there.
        _ => json!({ "local": name }),
    }
}

/// So much of a document's name stands before its lines.
const WIDTH: usize = 24;

/// A name for the image that is never made.
fn name(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let name: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    // It stands before every line; the end of a long name says more than its beginning.
    let name = name.get(name.len().saturating_sub(WIDTH)..).unwrap_or(&name).trim_matches('-');
    if name.is_empty() { "document".to_owned() } else { name.to_owned() }
}
