//! The commands `ami-bake component run` and `ami-bake component check`.

use std::path::{Path, PathBuf};

use ami_bake_core::engine::{self, Options};
use ami_bake_core::event::Failure;
use ami_bake_core::{Error, Result};
use ami_bake_manifest::Task;
use clap::{Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use crate::args::{EventArgs, KeepArgs, LogArgs, PlatformArgs, assignment};
use crate::plural::counted;
use crate::program::Program;
use crate::report::Show;
use crate::session::{Generated, Loaded, Purpose, Session, check_named, load_generated};

/// Run or validate an Image Builder component document on its own
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<RunArgs>),
    Check(CheckArgs),
}

/// Run a component document on a fresh machine, which is terminated afterwards
///
/// All phases run on one machine, in the order of the document, and no image is captured. A bake runs the phase `test`
/// on a fresh machine that was launched from the image.
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

    /// Platform of the machine: aws, docker, local or vm
    #[arg(long, value_name = "PLATFORM", default_value = "local")]
    platform: String,

    /// Source of the machine. On local: `host`, a folder, a tarball or a baked image such as shop/base; on docker: an
    /// image; on aws: an AMI ID or the name of an SSM parameter. Default on local: host
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,

    #[command(flatten)]
    access: PlatformArgs,

    #[command(flatten)]
    keep: KeepArgs,

    #[command(flatten)]
    events: EventArgs,

    #[command(flatten)]
    logs: LogArgs,
}

/// Validate a component document, without a machine
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake component check components/web.yml
  ami-bake component check components/web.yml --platform local     does it need S3?")]
struct CheckArgs {
    #[command(flatten)]
    document: DocumentArgs,

    /// Platform that the document is for: aws, docker, local or vm. Default: the first of these that this build has
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,

    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// The document and its parameters.
#[derive(Debug, clap::Args)]
struct DocumentArgs {
    /// Component document
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Run only this phase; may be repeated
    #[arg(long, value_enum, value_name = "PHASE")]
    phase: Vec<PhaseArg>,

    /// Set a parameter of the document; may be repeated
    #[arg(long, visible_alias = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    with: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PhaseArg {
    /// Builds the image
    Build,
    /// Validates the build machine
    Validate,
    /// Tests a machine launched from the image
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

pub(crate) async fn run(args: Args, program: &Program) -> Result<u8> {
    match args.command {
        Command::Run(args) => run_document(*args, program).await,
        Command::Check(args) => check(&args, program),
    }
}

async fn run_document(args: RunArgs, program: &Program) -> Result<u8> {
    let RunArgs { document, platform, source, access, keep, events, logs } = args;
    let source = match (source, platform.as_str()) {
        (Some(source), _) => source,
        (None, "local") => "host".to_owned(),
        (None, platform) => {
            return Err(Error::usage(format!("--source is required on platform `{platform}`"))
                .help("Use an image such as debian:12 on docker, or ami-0123456789abcdef0 on aws."));
        }
    };
    let host = program.host.as_ref();
    let loaded = load(program, &document, &platform, &source, access.region.as_deref(), false)?;
    loaded.show(host);
    let Some(manifest) = loaded.manifest() else { return Ok(loaded.exit_code()) };
    let mut settings = loaded.creating(Task::Bake, host, events.json)?;
    settings.logs = logs.log_dir;
    if let Show::All(explain) = settings.show {
        // The manifest around the document is generated: the user never sees its lines.
        settings.show = Show::All(Box::new(move |failure| explain(&Failure { route: None, ..failure.clone() })));
    }
    let session = Session::begin(settings, &program.host)?;
    let options = Options {
        force: true,
        until_validate: true,
        keep_on_failure: keep.keep_on_failure.map(Into::into),
        ..Options::default()
    };
    let code = match loaded.context(program, manifest, access, &session.run).await {
        Ok(context) => engine::bake(&session.run, &context, &options).await,
        Err(error) => return session.fail(error).await,
    };
    Ok(session.end(code).await)
}

fn check(args: &CheckArgs, program: &Program) -> Result<u8> {
    let host = program.host.as_ref();
    let paint = host.ui().paint;
    let platform = args.platform.as_deref().unwrap_or(program.platforms.default_name());
    let loaded = load(program, &args.document, platform, "host", None, true)?;
    if args.json {
        let report = json!({
            "format": 1,
            "document": args.document.file.display().to_string(),
            "valid": loaded.errors() == 0,
            "findings": loaded.json(),
        });
        host.json(&report, false);
    } else {
        loaded.show(host);
        let name = args.document.file.display();
        let verdict = match loaded.errors() {
            0 => paint.good("valid").to_string(),
            errors => paint.bad(&counted(errors, "error")).to_string(),
        };
        host.say(&format!("{name}: {verdict}\n"));
    }
    // A parameter without a value is not an error of the document, although the manifest around it is incomplete.
    Ok(if loaded.errors() == 0 { 0 } else { loaded.exit_code() })
}

/// Reads a generated manifest with one image, whose only step is the document.
fn load(
    program: &Program,
    args: &DocumentArgs,
    platform: &str,
    source: &str,
    region: Option<&str>,
    check: bool,
) -> Result<Loaded> {
    program.platforms.get(platform)?;
    check_named(&args.file, &[])?;
    let text = std::fs::read_to_string(&args.file).map_err(|error| {
        Error::usage(format!("could not read component document {}", args.file.display())).because(error)
    })?;
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
        "vm" => json!({ "vm": { "disk": source } }),
        other => json!({ other: source }),
    };
    let image = json!({ "source": source, "build": [step] });
    let mut manifest = json!({ "format": 1, "name": "component", "platform": platform, "images": { &name: image } });
    if let (Some(region), "aws") = (region, platform) {
        manifest["aws"] = json!({ "region": region });
    }
    let generated = Generated {
        name: format!("{} (as a step)", args.file.display()),
        text: format!("{manifest:#}\n"),
        purpose: if check { Purpose::Check } else { Purpose::Bake },
        document: &args.file,
        // The command line selects the phases, and a check may be run without values for parameters.
        ignored: if check { &["unused-phase", "missing-parameter"] } else { &["unused-phase"] },
    };
    Ok(load_generated(program, &generated))
}

/// The source for an image that was baked before: `NAMESPACE/IMAGE` or `NAMESPACE/IMAGE/VERSION`.
fn baked(name: &str) -> Value {
    let mut parts = name.splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(from), Some(image), None) => json!({ "from": from, "image": image }),
        (Some(from), Some(image), Some(version)) => {
            json!({ "from": from, "image": image, "version": format!("={version}") })
        }
        // No image can have such a name; it will be reported as a missing file.
        _ => json!({ "local": name }),
    }
}

/// Maximum characters of a document's name that are shown before its log lines.
const WIDTH: usize = 24;

/// Name of the image, which is never captured: derived from the document's.
fn name(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let name: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    // The end of a long name says more than its beginning.
    let name = name.get(name.len().saturating_sub(WIDTH)..).unwrap_or(&name).trim_matches('-');
    if name.is_empty() { "document".to_owned() } else { name.to_owned() }
}
