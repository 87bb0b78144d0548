//! The command `ami-bake report`.

use std::path::{Path, PathBuf};

use ami_bake_core::mask::Masker;
use ami_bake_core::report::{self, FILE_NAME, Report};
use ami_bake_core::{Error, Result, Run, whole_file};
use ami_bake_github::api::{Api, Settings};
use ami_bake_github::comment::{self, Pull};
use ami_bake_github::event::Workflow;
use ami_bake_github::runner::Environment;
use ami_bake_github::{Context, release, summary};
use serde_json::Value;

use super::outputs;
use crate::error::sentence;
use crate::host::Host;
use crate::out::{Named, json_text, named};
use crate::program::Program;
use crate::report::Show;
use crate::runtime::block_on;
use crate::session::{Session, Settings as RunSettings};

/// Maximum size of a report in bytes; a larger file is something else.
const FILE_LIMIT: u64 = 64 << 20;

/// Show the report of a bake: as Markdown, as a pull request comment, in release notes
///
/// Reads bake-report.json, or several reports as one. Shows what was baked and from which source, what was tested, what
/// failed and why, which packages changed, and how long it took. GitHub is called with GITHUB_TOKEN or GH_TOKEN.
///
/// For pull requests from forks, run it in a second workflow on `workflow_run`: it finds the pull request of the first
/// workflow's run and treats that run's report as untrusted text.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake report >> \"$GITHUB_STEP_SUMMARY\"
  ami-bake report --against last/bake-report.json       also show which packages changed since
  ami-bake report --comment                             comment on the pull request of this workflow run
  ami-bake report --release-notes v1.4.0
  ami-bake report --tfvars images.auto.tfvars.json      hand the image IDs to Terraform
  ami-bake report --report reports/ --merge bake-report.json")]
pub(crate) struct Args {
    /// Report to read, or a folder to search for reports; may be repeated. Default: bake-report.json
    #[arg(long, value_name = "FILE", default_value = FILE_NAME, hide_default_value = true)]
    report: Vec<PathBuf>,

    /// Write all reports as one to FILE
    #[arg(long, value_name = "FILE")]
    merge: Option<PathBuf>,

    /// Write the Markdown to FILE instead of standard output
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// Write the IDs and versions of the images to FILE as variables of Terraform: ami_id, ami_ids, ami_versions
    ///
    /// Terraform reads files that end in .auto.tfvars.json by itself.
    #[arg(long, value_name = "FILE")]
    tfvars: Option<PathBuf>,

    /// Print the report as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,

    /// Show which packages changed since this report of an earlier version
    ///
    /// `release` downloads the report from the last release. Comments and release notes do so by default, if the release
    /// has one.
    #[arg(long, value_name = "FILE|release")]
    against: Option<PathBuf>,

    /// Create or update the comment on the pull request
    #[arg(long)]
    comment: bool,

    /// Number of the pull request. Default: from the workflow's event
    #[arg(long, value_name = "NUMBER", requires = "comment")]
    pull_request: Option<u64>,

    /// Key that distinguishes this comment from others on the same pull request
    ///
    /// Default: the names of the workflow, the job and the manifest.
    #[arg(long, value_name = "TEXT", requires = "comment")]
    comment_key: Option<String>,

    /// Write the images to the notes of the release with this tag, and attach the report to the release
    ///
    /// Default tag: the workflow's.
    #[arg(long, value_name = "TAG", num_args = 0..=1, default_missing_value = "")]
    release_notes: Option<String>,

    /// Create the release if the tag has none: a draft that is published once it has the notes and the report
    ///
    /// A release that GITHUB_TOKEN created starts no other workflow.
    #[arg(long, requires = "release_notes")]
    create_release: bool,

    /// Repository on GitHub. Default: the workflow's
    #[arg(long, value_name = "OWNER/NAME")]
    repository: Option<String>,
}

pub(in crate::features) fn run(args: &Args, program: &Program) -> Result<u8> {
    block_on(async {
        let session = Session::begin(RunSettings::reading(Show::Warnings), &program.host)?;
        match show(args, &session.run, program.host.as_ref()).await {
            Ok(()) => Ok(session.end(0).await),
            Err(error) => session.fail(error).await,
        }
    })
}

async fn show(args: &Args, run: &Run, host: &dyn Host) -> Result<()> {
    let environment = Environment::of_process();
    let workflow = Workflow::of(&environment);
    let all = report::merge(read(&args.report)?)?;
    if let Some(file) = &args.merge {
        write(file, &json(&all, run.masker())?, host)?;
    }
    if let Some(file) = &args.tfvars {
        write(file, &json_text(&outputs::tfvars(&all), run.masker(), false), host)?;
    }
    if host.run_ended(&all, run.masker()).await {
        return hand_on(&all, host);
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
        (Some(file), _) if !from_release => Some((report::read(file)?, file.display().to_string())),
        (_, Some(api)) => match release::last(api, &all.namespace, tag.as_deref()).await {
            Ok(found) => found.map(|last| (last.report, format!("release {}", last.tag))),
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
        previous: previous.as_ref().map(|(previous, _)| previous),
        previous_from: previous.as_ref().map(|(_, from)| from.as_str()),
        no_previous: None,
        run_url: workflow.run_url.as_deref(),
        job_url: None,
        written: &[],
        untrusted: false,
    };
    if args.json {
        host.json(&value(&all)?, false);
    } else if let Some(file) = &args.markdown {
        write(file, &summary::render(&all, &context), host)?;
    } else if !to_github && args.merge.is_none() && args.tfvars.is_none() {
        host.data(&summary::render(&all, &context));
    }
    let Some(api) = api else { return Ok(()) };
    let commented = if args.comment { comment(args, &api, &all, &context, &environment, host).await } else { Ok(()) };
    if args.release_notes.is_some() {
        let tag = tag.ok_or_else(|| {
            Error::usage("could not write release notes: this run is not for a tag")
                .help("Give the tag of a release: --release-notes v1.2.3.")
        })?;
        let missing = if args.create_release {
            release::MissingRelease::Create { commit: workflow.sha.as_deref() }
        } else {
            release::MissingRelease::Refuse
        };
        let updated = release::update(&api, &tag, &all.namespace, &all, &context, missing).await?;
        let attached = if updated.attached { " and attached the report" } else { "" };
        let done = if updated.created { "Created" } else { "Updated the notes of" };
        host.say(&format!("{done} release {tag}{attached}: {}\n", updated.url));
    }
    commented
}

/// Writes the report to the place where later steps expect it, and sets their outputs.
fn hand_on(all: &Report, host: &dyn Host) -> Result<()> {
    let file = report::write(all, Path::new(""))?;
    for (name, value) in outputs::known(all) {
        host.output(name, &value);
    }
    host.output("report", &file.display().to_string());
    Ok(())
}

async fn comment(
    args: &Args,
    api: &Api,
    all: &Report,
    context: &Context<'_>,
    environment: &Environment,
    host: &dyn Host,
) -> Result<()> {
    let pull = match args.pull_request {
        Some(number) => Some(Pull { number, fork: false, run_url: None }),
        None => comment::of_event(api, &environment.event()).await?,
    };
    let Some(pull) = pull else {
        host.say("Skipped the comment: no open pull request has this commit\n");
        return Ok(());
    };
    let key = args.comment_key.clone().unwrap_or_else(|| comment::default_key(environment, &all.namespace));
    let context = Context { run_url: pull.run_url.as_deref().or(context.run_url), untrusted: pull.fork, ..*context };
    let posted = comment::upsert(api, pull.number, &key, &comment::render(all, &context, &key)).await?;
    let comment = match posted.done {
        comment::Done::Created => "Created the comment",
        comment::Done::Updated => "Updated the comment",
        comment::Done::Unchanged => "Left the comment unchanged",
    };
    host.say(&format!("{comment} on pull request {}: {}\n", pull.number, posted.url));
    Ok(())
}

/// Reads the reports; those in a folder in the order of their paths.
fn read(paths: &[PathBuf]) -> Result<Vec<Report>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            search(path, &mut files)?;
            if files.len() == before {
                return Err(Error::usage(format!("no reports in {}", path.display()))
                    .help("Reports in a folder have names that end in .json, such as bake-report.json."));
            }
        } else {
            files.push(path.clone());
        }
    }
    files.iter().map(|file| read_file(file)).collect()
}

fn read_file(file: &Path) -> Result<Report> {
    let failed = |error| {
        Error::usage(format!("could not read report {}", file.display()))
            .help("A bake writes its report to its working directory. Use --report to choose another file.")
            .because(error)
    };
    if std::fs::metadata(file).map_err(failed)?.len() > FILE_LIMIT {
        return Err(Error::usage(format!("{} is too large to be a report", file.display())));
    }
    report::read(file)
}

/// Finds JSON files in a folder and in its folders. Links are not followed: an artifact may come from anybody.
fn search(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let failed = |error| Error::usage(format!("could not search {} for reports", folder.display())).because(error);
    let mut entries: Vec<_> = std::fs::read_dir(folder).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            search(&entry.path(), files)?;
        } else if kind.is_file() && entry.path().extension().is_some_and(|ending| ending == "json") {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn value(report: &Report) -> Result<Value> {
    serde_json::to_value(report).map_err(|error| Error::internal("could not write the report as JSON").because(error))
}

fn json(report: &Report, masker: &Masker) -> Result<String> {
    Ok(json_text(&value(report)?, masker, false))
}

/// Writes to a file, or to the stream that its name refers to.
fn write(file: &Path, text: &str, host: &dyn Host) -> Result<()> {
    match named(file) {
        Some(Named::Stdout) => host.data(text),
        Some(Named::Stderr) => host.say(text),
        None => whole_file::replace(file, |to| to.write_all(text.as_bytes()))
            .map_err(|error| Error::usage(format!("could not write {}", file.display())).because(error))?,
    }
    Ok(())
}
