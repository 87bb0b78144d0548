//! `ami-bake report`

use std::path::{Path, PathBuf};

use ami_bake_core::report::{self, FILE_NAME, Report};
use ami_bake_core::{Error, Result, Run};
use ami_bake_github::api::{Api, Settings};
use ami_bake_github::comment::{self, Pull};
use ami_bake_github::event::Workflow;
use ami_bake_github::runner::Environment;
use ami_bake_github::{Context, release, summary};
use serde_json::Value;

use crate::session::{Parts, Session, Show};
use crate::ui::Ui;

/// A report is never longer; what is comes from somebody else.
const FILE_LIMIT: u64 = 64 << 20;

/// Show what came of a bake: as Markdown, as a pull request's comment, in a release's notes
///
/// Reads bake-report.json, or several of them as one. Says what was made and from what, what was tested, what failed and
/// why, which packages changed, and how long it took. GitHub is asked with GITHUB_TOKEN or GH_TOKEN.
///
/// In a workflow on `workflow_run` it is the second half of a fork's pull request: it finds the pull request of the run
/// before, and takes that run's report for nothing but text.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake report >> \"$GITHUB_STEP_SUMMARY\"
  ami-bake report --against last/bake-report.json       with the packages that changed since
  ami-bake report --comment                             the pull request of this workflow run
  ami-bake report --release-notes v1.4.0
  ami-bake report --report reports/ --merge bake-report.json")]
pub(crate) struct Args {
    /// A report, or a folder with reports below it; may be repeated [default: bake-report.json]
    #[arg(long, value_name = "FILE", default_value = FILE_NAME, hide_default_value = true)]
    report: Vec<PathBuf>,

    /// Write all reports as one into FILE
    #[arg(long, value_name = "FILE")]
    merge: Option<PathBuf>,

    /// Write the Markdown into FILE instead of standard output
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// Print the report as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,

    /// Tell which packages changed since this report of an earlier version
    ///
    /// `release` takes it from the files of the last release. That is also done where a comment or release notes are
    /// written, as far as a release has one.
    #[arg(long, value_name = "FILE|release")]
    against: Option<PathBuf>,

    /// Write a comment on the pull request, or bring the one that is there up to date
    #[arg(long)]
    comment: bool,

    /// The pull request, where the workflow's event does not say it
    #[arg(long, value_name = "NUMBER", requires = "comment")]
    pull_request: Option<u64>,

    /// What tells this comment from others on the same pull request [default: workflow, job and the manifest's name]
    #[arg(long, value_name = "TEXT", requires = "comment")]
    comment_key: Option<String>,

    /// Write the images into the notes of the release with this tag, and the report among its files
    #[arg(long, value_name = "TAG", num_args = 0..=1, default_missing_value = "")]
    release_notes: Option<String>,

    /// The repository on GitHub [default: the workflow's]
    #[arg(long, value_name = "OWNER/NAME")]
    repository: Option<String>,
}

pub(crate) async fn run(args: Args, ui: Ui) -> Result<u8> {
    let session = Session::begin(Parts::reading(Show::Warnings), ui)?;
    match emit(&args, &session.run, ui).await {
        Ok(()) => Ok(session.end(0).await),
        Err(error) => session.fail(error).await,
    }
}

async fn emit(args: &Args, run: &Run, ui: Ui) -> Result<()> {
    let environment = Environment::of_process();
    let workflow = Workflow::of(&environment);
    let all = report::merge(read(&args.report)?)?;
    if let Some(file) = &args.merge {
        write(file, &json(&all)?)?;
    }
    if let Some(action) = crate::action::current() {
        action.told(&all, run.masker()).await;
        action.merged(&all)?;
        return Ok(());
    }
    let to_github = args.comment || args.release_notes.is_some();
    let from_release = args.against.as_deref() == Some(Path::new("release"));
    let api = if to_github || from_release {
        Some(Api::new(Settings::of(&environment, None, args.repository.as_deref())?)?)
    } else {
        None
    };
    let tag = args.release_notes.as_deref().filter(|tag| !tag.is_empty()).map(str::to_owned).or(workflow.tag.clone());
    let previous = match (&args.against, &api) {
        (Some(file), _) if !from_release => Some(report::read(file)?),
        (_, Some(api)) => match release::last(api, &all.namespace, tag.as_deref()).await {
            Ok(found) => found,
            Err(error) if from_release => return Err(error),
            Err(error) => {
                run.warn(sentence(&error), error.help_text().map(str::to_owned));
                None
            }
        },
        _ => None,
    };
    let context = Context {
        masker: run.masker(),
        previous: previous.as_ref(),
        run_url: workflow.run_url.as_deref(),
        untrusted: false,
    };
    if args.json {
        ui.data(&json(&all)?);
    } else if let Some(file) = &args.markdown {
        write(file, &summary::render(&all, &context))?;
    } else if !to_github && args.merge.is_none() {
        ui.data(&summary::render(&all, &context));
    }
    let Some(api) = api else { return Ok(()) };
    let commented = if args.comment { comment(args, &api, &all, &context, &environment, ui).await } else { Ok(()) };
    if args.release_notes.is_some() {
        let tag = tag.ok_or_else(|| {
            Error::usage("it is not known which release this is about").help("Give its tag: --release-notes v1.2.3.")
        })?;
        let done = release::update(&api, &tag, &all.namespace, &all, &context).await?;
        let file = if done.attached { ", with the report among its files" } else { "" };
        ui.say(&format!("The notes of release {tag} are up to date{file}: {}\n", done.url));
    }
    commented
}

async fn comment(
    args: &Args,
    api: &Api,
    all: &Report,
    context: &Context<'_>,
    environment: &Environment,
    ui: Ui,
) -> Result<()> {
    let pull = match args.pull_request {
        Some(number) => Some(Pull { number, fork: false, run_url: None }),
        None => comment::of_event(api, &event(environment)).await?,
    };
    let Some(pull) = pull else {
        ui.say("There is no open pull request with what was baked: no comment is written.\n");
        return Ok(());
    };
    let key = args.comment_key.clone().unwrap_or_else(|| comment::default_key(environment, &all.namespace));
    let context = Context { run_url: pull.run_url.as_deref().or(context.run_url), untrusted: pull.fork, ..*context };
    let posted = comment::upsert(api, pull.number, &key, &comment::render(all, &context, &key)).await?;
    let done = match posted.done {
        comment::Done::Created => "has a new comment",
        comment::Done::Updated => "has its comment up to date",
        comment::Done::Unchanged => "has this comment already",
    };
    ui.say(&format!("Pull request {} {done}: {}\n", pull.number, posted.url));
    Ok(())
}

/// The event that started the workflow.
fn event(environment: &Environment) -> Value {
    let text = environment.get("GITHUB_EVENT_PATH").and_then(|path| std::fs::read(path).ok());
    text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or(Value::Null)
}

/// The reports, those below a folder in the order of their paths.
fn read(paths: &[PathBuf]) -> Result<Vec<Report>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            below(path, &mut files)?;
            if files.len() == before {
                return Err(Error::usage(format!("there is no report below {}", path.display()))
                    .help("Reports there end in .json, as bake-report.json does."));
            }
        } else {
            files.push(path.clone());
        }
    }
    files.iter().map(|file| judged(file)).collect()
}

fn judged(file: &Path) -> Result<Report> {
    let failed = |error| {
        Error::usage(format!("read the report {}", file.display()))
            .help("A bake writes it into its working directory; --report names another.")
            .because(error)
    };
    if std::fs::metadata(file).map_err(failed)?.len() > FILE_LIMIT {
        return Err(Error::usage(format!("{} is larger than any report", file.display())));
    }
    report::read(file)
}

/// Files of JSON below a folder. Links are not followed: an artifact may be anybody's.
fn below(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let failed = |error| Error::usage(format!("look for reports below {}", folder.display())).because(error);
    let mut entries: Vec<_> = std::fs::read_dir(folder).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            below(&entry.path(), files)?;
        } else if kind.is_file() && entry.path().extension().is_some_and(|ending| ending == "json") {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn json(report: &Report) -> Result<String> {
    let text = serde_json::to_string_pretty(report);
    text.map(|text| text + "\n").map_err(|error| Error::internal("write the report as JSON").because(error))
}

fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).map_err(|error| {
        Error::usage(format!("write {}", file.display()))
            .help("Name a file in a folder that you may write to.")
            .because(error)
    })
}

/// An error as a sentence of a warning.
fn sentence(error: &Error) -> String {
    let parts: Vec<String> = std::iter::once(format!("could not {error}")).chain(error.causes()).collect();
    parts.join(": ")
}
